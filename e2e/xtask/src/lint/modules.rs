//! The modules of a crate, and what each takes from which: read from the code's own `mod`, `use` and paths.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use syn::visit::{self, Visit};
use syn::{Attribute, ItemMod, ItemUse, UseTree, Visibility};

/// A module's path from the crate's root, which is the empty one; or that of an item.
type Name = Vec<String>;

/// More steps than any name goes from module to module.
const DEEPEST: usize = 16;

/// A module with a file of its own. Modules within the file belong to it.
struct Module {
    file: PathBuf,
    /// What its `use` items call a name, so that it can be handed on.
    known: BTreeMap<String, Name>,
    /// The paths that it takes something from, or through.
    takes: BTreeSet<Name>,
}

/// The modules of a crate, without what is built for tests only.
pub struct Modules(BTreeMap<Name, Module>);

impl Modules {
    /// Reads the crate with this root file.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or that is not Rust.
    pub fn read(root: &Path) -> Result<Self> {
        let folder = root.parent().context("a file has a folder")?.to_owned();
        let mut modules = BTreeMap::new();
        let mut waiting = vec![(Name::new(), root.to_owned(), folder)];
        while let Some((name, file, folder)) = waiting.pop() {
            let text =
                fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
            let parsed =
                syn::parse_file(&text).with_context(|| format!("parsing {}", file.display()))?;
            let mut reader = Reader::of(&name);
            // Modules first: a path may begin with one that stands below it.
            reader.children(&parsed.items);
            reader.visit_file(&parsed);
            for child in &reader.children {
                let beneath = folder.join(child);
                let files = [folder.join(format!("{child}.rs")), beneath.join("mod.rs")];
                if let Some(file) = files.into_iter().find(|file| file.exists()) {
                    waiting.push((joined(&name, [child.clone()]), file, beneath));
                }
            }
            let Reader { known, takes, .. } = reader;
            modules.insert(name, Module { file, known, takes });
        }
        Ok(Self(modules))
    }

    /// Each file with the files that define what it takes. A module with those below it is one thing in several files:
    /// what it takes from them is left out.
    pub fn imports(&self) -> BTreeMap<&Path, BTreeSet<&Path>> {
        let imports = self.0.iter().map(|(name, module)| {
            let definers = module.takes.iter().filter_map(|path| self.definer(path));
            let others = definers.filter(|definer| !definer.starts_with(name));
            let files = others.map(|definer| self.0[definer].file.as_path());
            (module.file.as_path(), files.collect())
        });
        imports.collect()
    }

    /// The module that defines what a path names, through those that hand it on.
    fn definer(&self, path: &[String]) -> Option<&Name> {
        let mut path = path.to_vec();
        for _ in 0..DEEPEST {
            let length = (0..=path.len())
                .rev()
                .find(|length| self.0.contains_key(&path[..*length]))?;
            let (name, module) = self.0.get_key_value(&path[..length])?;
            let next = path.get(length).and_then(|item| module.known.get(item));
            let Some(next) = next else {
                return Some(name);
            };
            path = joined(next, path[length + 1..].iter().cloned());
        }
        None
    }
}

fn joined(path: &[String], more: impl IntoIterator<Item = String>) -> Name {
    path.iter().cloned().chain(more).collect()
}

/// Reads the items of one file.
struct Reader {
    module: Name,
    /// How many modules within this file the reader is in.
    within: usize,
    children: BTreeSet<String>,
    known: BTreeMap<String, Name>,
    takes: BTreeSet<Name>,
}

impl Reader {
    fn of(module: &Name) -> Self {
        Self {
            module: module.clone(),
            within: 0,
            children: BTreeSet::new(),
            known: BTreeMap::new(),
            takes: BTreeSet::new(),
        }
    }

    fn children(&mut self, items: &[syn::Item]) {
        for item in items {
            if let syn::Item::Mod(item) = item
                && item.content.is_none()
                && !for_tests(&item.attrs)
            {
                self.children.insert(item.ident.to_string());
            }
        }
    }

    /// The path from the crate's root. None where it names another crate's, or what the file has itself.
    fn rooted(&self, path: &[String]) -> Option<Name> {
        let mut base = self.module.clone();
        let mut rest = path;
        // Modules within this file are left first: they are the file.
        let mut inside = self.within;
        while let Some(("crate" | "self" | "super", more)) = rest
            .split_first()
            .map(|(first, more)| (first.as_str(), more))
        {
            match rest[0].as_str() {
                "crate" => base.clear(),
                "super" if inside > 0 => inside -= 1,
                "super" => drop(base.pop()?),
                _ => {}
            }
            rest = more;
        }
        let is_rooted = rest.len() < path.len();
        let is_child = rest
            .first()
            .is_some_and(|first| self.children.contains(first));
        (is_rooted || is_child).then(|| joined(&base, rest.iter().cloned()))
    }

    fn use_tree(&mut self, tree: &UseTree, before: &[String], hands_on: bool) {
        match tree {
            UseTree::Path(path) => {
                let before = joined(before, [path.ident.to_string()]);
                self.use_tree(&path.tree, &before, hands_on);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.use_tree(tree, before, hands_on);
                }
            }
            UseTree::Name(name) if name.ident == "self" => {
                self.used(before, before.last().cloned(), hands_on);
            }
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                self.used(&joined(before, [name.clone()]), Some(name), hands_on);
            }
            UseTree::Rename(name) => {
                let path = joined(before, [name.ident.to_string()]);
                self.used(&path, Some(name.rename.to_string()), hands_on);
            }
            UseTree::Glob(_) => self.used(before, None, hands_on),
        }
    }

    fn used(&mut self, path: &[String], name: Option<String>, hands_on: bool) {
        let Some(path) = self.rooted(path) else {
            return;
        };
        if !hands_on {
            self.takes.insert(path.clone());
        }
        if let Some(name) = name {
            self.known.insert(name, path);
        }
    }
}

impl<'a> Visit<'a> for Reader {
    fn visit_item(&mut self, item: &'a syn::Item) {
        if !for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        self.within += 1;
        visit::visit_item_mod(self, item);
        self.within -= 1;
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        let hands_on = !matches!(item.vis, Visibility::Inherited);
        self.use_tree(&item.tree, &[], hands_on);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let segments: Name = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        if segments.len() > 1
            && let Some(path) = self.rooted(&segments)
        {
            self.takes.insert(path);
        }
        visit::visit_path(self, path);
    }
}

/// Whether this is built for tests only.
fn for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|what| what.is_ident("test"))
    })
}

fn attributes(item: &syn::Item) -> &[Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
