//! Prints what others are told of the checks: with `list` the Rust source of the custom resources' list, with `table`
//! and `index` the Markdown of README.md and of docs/checks/README.md.

use std::env;
use std::fmt::Write as _;
use std::io::{self, Write as _};

use netdiag_diagnosis::causes::{CHECKS, Cause, OTHER_DROP};

fn main() -> io::Result<()> {
    let text = match env::args().nth(1).as_deref() {
        Some("list") => list(),
        Some("table") => table("docs/checks/"),
        Some("index") => index(),
        other => {
            let message = format!("{other:?} is none of `list`, `table` and `index`");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
    };
    io::stdout().write_all(text.as_bytes())
}

fn causes() -> impl Iterator<Item = &'static Cause> {
    CHECKS.iter().flat_map(|check| check.causes.iter().copied())
}

fn list() -> String {
    let mut text = format!(
        "//! The checks and their causes. Written by `cargo xtask codegen` from agent/diagnosis/src/causes.rs.\n\n\
         use super::Cause;\n\
         use crate::harm::Harm;\n\n\
         /// Every check, in the order of the reference.\n\
         pub const CHECKS: [&str; {}] = [\n",
        CHECKS.len()
    );
    for check in CHECKS {
        let _ = writeln!(text, "    {:?},", check.name);
    }
    let _ = writeln!(
        text,
        "];\n\n\
         /// The check whose causes are the kernel's own reasons, beside those that are listed.\n\
         pub const OTHER_DROP: &str = {:?};\n\n\
         /// Every cause, in the order of the checks.\n\
         #[rustfmt::skip]\n\
         pub const CAUSES: [Cause; {}] = [",
        OTHER_DROP.name,
        causes().count()
    );
    for cause in causes() {
        let by_harm = cause.by_harm.iter();
        let by_harm = by_harm.map(|(harm, words)| format!("(Harm::{}, {words:?})", harm.as_str()));
        let _ = writeln!(
            text,
            "    Cause {{ check: {:?}, name: {:?}, headline: {:?}, by_harm: &[{}] }},",
            cause.check.name,
            cause.name,
            cause.headline,
            by_harm.collect::<Vec<_>>().join(", ")
        );
    }
    text + "];\n"
}

fn table(folder: &str) -> String {
    let mut text = "| check | finds |\n|---|---|\n".to_owned();
    for check in CHECKS {
        let name = check.name;
        let _ = writeln!(text, "| [{name}]({folder}{name}.md) | {} |", check.finds);
    }
    text
}

fn index() -> String {
    let mut text = format!(
        "# Checks\n\n\
         Written by `cargo xtask codegen` from agent/diagnosis/src/causes.rs.\n\n\
         {}\n\
         What no check can see, and what to use instead: [limits.md](../limits.md).\n\n\
         ## Causes\n\n\
         A finding is named by check and cause. {} has the kernel's own drop reasons as causes beside these.\n\n\
         | finding | in a roll-up; by harm, where the words differ |\n\
         |---|---|\n",
        table(""),
        OTHER_DROP.name
    );
    for cause in causes() {
        let (check, name) = (cause.check.name, cause.name);
        let by_harm = cause.by_harm.iter();
        let by_harm = by_harm.map(|(harm, words)| format!("; {}: {words}", harm.as_str()));
        let words = cause.headline.to_owned() + &by_harm.collect::<String>();
        let words = words.replace("{protocol}", "PROTOCOL");
        let words = words.replace(
            "{outage}",
            "packets do not get through, or connections fail",
        );
        let _ = writeln!(text, "| [{check}/{name}]({check}.md) | {words} |");
    }
    text
}
