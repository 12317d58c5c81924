//! Packets through the node that its rules refuse: of legacy tables beside nftables, and as kube-proxy writes them for
//! services.

use anyhow::{Context, Result};

use super::router::{Router, v4, v6};
use crate::lab::{Node, Pod};
use crate::process::Process;

const DATAGRAMS: u64 = 40;
const CONNECTIONS: u64 = 20;
const SERVER_PORT: u16 = 5001;
/// The services' addresses: `shop/cart` and `shop/pay`, of IPv4 and IPv6.
const CART: [&str; 2] = ["10.96.0.10", "fd96::10"];
const PAY: [&str; 2] = ["10.96.0.11", "fd96::11"];

/// Pod `client` and pod `server`, with the node between them.
pub struct FilterRules<'a> {
    node: &'a Node,
    client: Pod,
    server: Pod,
    _programs: Vec<Process>,
}

/// Packets that a rule counted, and those that were sent into it.
#[derive(Debug)]
pub struct Counted {
    /// The least that it must have counted.
    pub sent: u64,
    /// Its counter.
    pub counted: u64,
}

impl<'a> FilterRules<'a> {
    /// A legacy rule drops datagrams to port 7777, behind one of nftables that counts and accepts all of them.
    pub fn legacy(node: &'a Node) -> Result<Self> {
        let rules = Self::between(node)?;
        let inside = node.namespace();
        inside.run(
            "nft",
            &["add table inet seen; \
               add chain inet seen forward { type filter hook forward priority -10; }; \
               add rule inet seen forward udp dport 7777 counter accept; \
               add rule inet seen forward udp dport 9 counter drop"],
        )?;
        for program in ["iptables-legacy", "ip6tables-legacy"] {
            let run = |words: &str| {
                let words: Vec<&str> = words.split(' ').collect();
                inside.run(program, &words)
            };
            run("-N POLICY")?;
            run("-A FORWARD -p tcp --dport 9 -j DROP")?;
            run("-A FORWARD -j POLICY")?;
            run("-A POLICY -p udp --dport 7777 -m comment --comment no-sevens -j DROP")?;
        }
        Ok(rules)
    }

    /// `shop/cart` has no endpoints. The rules are those of kube-proxy's iptables mode.
    pub fn iptables_mode(node: &'a Node) -> Result<Self> {
        let rules = Self::between(node)?;
        for (program, cart, bits) in [
            ("iptables-nft", CART[0], 32),
            ("ip6tables-nft", CART[1], 128),
        ] {
            let run = |words: &str, comment: &str, more: &str| {
                let comment = ["-m", "comment", "--comment", comment];
                let words = words.split(' ').chain(comment).chain(more.split(' '));
                let words: Vec<&str> = words.collect();
                node.namespace().run(program, &words)
            };
            node.namespace().run(program, &["-N", "KUBE-SERVICES"])?;
            for chain in ["FORWARD", "OUTPUT"] {
                run(
                    &format!("-I {chain} -m conntrack --ctstate NEW"),
                    "kubernetes service portals",
                    "-j KUBE-SERVICES",
                )?;
            }
            run(
                "-A KUBE-SERVICES",
                "shop/cart:http has no endpoints",
                &format!("-d {cart}/{bits} -p tcp --dport 80 -j REJECT"),
            )?;
        }
        Ok(rules)
    }

    /// `shop/pay` has no endpoints. The rules are those of kube-proxy's nftables mode. A rule of somebody else drops
    /// datagrams to port 7777.
    pub fn nftables_mode(node: &'a Node) -> Result<Self> {
        let rules = Self::between(node)?;
        rules.kube_proxy()?;
        for (index, family) in ["ip", "ip6"].into_iter().enumerate() {
            let element = format!(
                "add element {family} kube-proxy no-endpoint-services \
                 {{ {} . tcp . 80 comment \"shop/pay:http\" : goto reject-chain }}",
                PAY[index]
            );
            node.namespace().run("nft", &[&element])?;
        }
        rules.drop_sevens()?;
        Ok(rules)
    }

    /// The same, but `shop/pay` has an endpoint: the server.
    pub fn healthy_service(node: &'a Node) -> Result<Self> {
        let mut rules = Self::between(node)?;
        rules.kube_proxy()?;
        rules.drop_sevens()?;
        let translations = format!(
            "add table ip nat; add chain ip nat pre {{ type nat hook prerouting priority -100; }}; \
             add rule ip nat pre ip daddr {} tcp dport 80 counter dnat to {}:{SERVER_PORT}; \
             add table ip6 nat; add chain ip6 nat pre {{ type nat hook prerouting priority -100; }}; \
             add rule ip6 nat pre ip6 daddr {} tcp dport 80 counter dnat to [{}]:{SERVER_PORT}",
            PAY[0],
            v4(1, 1),
            PAY[1],
            v6(1, 1),
        );
        node.namespace().run("nft", &[&translations])?;
        for address in [v4(1, 1), v6(1, 1)] {
            let serve = format!("tcp-answer {address} {SERVER_PORT} --seconds 300");
            let program = rules.server.traffic(node.host()).start(&serve)?;
            rules._programs.push(program);
        }
        Ok(rules)
    }

    fn between(node: &'a Node) -> Result<Self> {
        let router = Router::new(node)?;
        let client = router.pod("client", 0)?;
        let server = router.pod("server", 1)?;
        // As the default route of a node: services have no device of their own.
        let inside = node.namespace();
        inside.ip(&format!("route add 10.96.0.0/16 via {}", v4(1, 1)))?;
        inside.ip(&format!("-6 route add fd96::/64 via {}", v6(1, 1)))?;
        Ok(Self {
            node,
            client,
            server,
            _programs: Vec::new(),
        })
    }

    /// The chains of kube-proxy's nftables mode through which packets for services without endpoints go.
    fn kube_proxy(&self) -> Result<()> {
        for (family, address) in [("ip", "ipv4_addr"), ("ip6", "ipv6_addr")] {
            let table = format!("{family} kube-proxy");
            let mut rules = vec![
                format!("add table {table}"),
                format!(
                    "add map {table} no-endpoint-services \
                     {{ type {address} . inet_proto . inet_service : verdict; }}"
                ),
                format!("add chain {table} reject-chain"),
                format!("add rule {table} reject-chain reject"),
                format!("add chain {table} service-endpoints-check"),
                format!(
                    "add rule {table} service-endpoints-check \
                     {family} daddr . meta l4proto . th dport vmap @no-endpoint-services"
                ),
            ];
            for hook in ["input", "forward", "output"] {
                rules.push(format!(
                    "add chain {table} filter-{hook} {{ type filter hook {hook} priority -110; }}"
                ));
                rules.push(format!(
                    "add rule {table} filter-{hook} ct state new jump service-endpoints-check"
                ));
            }
            self.node.namespace().run("nft", &[&rules.join("; ")])?;
        }
        Ok(())
    }

    fn drop_sevens(&self) -> Result<()> {
        let rules = "add table inet others; \
            add chain inet others forward { type filter hook forward priority 0; }; \
            add rule inet others forward udp dport 7777 counter drop comment \"no-sevens\"";
        self.node.namespace().run("nft", &[rules]).map(drop)
    }

    /// Sends datagrams to port 7777 of the server, over IPv4 and IPv6.
    pub fn send_sevens(&self) -> Result<u64> {
        for address in [v4(1, 1), v6(1, 1)] {
            let ask = format!("ask {address} 7777 {DATAGRAMS}");
            self.client.traffic(self.node.host()).run(&ask)?;
        }
        Ok(2 * DATAGRAMS)
    }

    /// Datagrams that the legacy rules dropped, of both IP versions.
    pub fn legacy_count(&self) -> Result<u64> {
        let mut sum = 0;
        for program in ["iptables-legacy", "ip6tables-legacy"] {
            let rule = self
                .node
                .namespace()
                .run(program, &["-v", "-S", "POLICY", "1"])?;
            let count = rule.split(" -c ").nth(1);
            let count = count.and_then(|rest| rest.split(' ').next());
            let count = count.context("the rule has no counter")?;
            sum += count.parse::<u64>()?;
        }
        Ok(sum)
    }

    /// Datagrams that the other rule dropped.
    pub fn policy_count(&self) -> Result<u64> {
        self.node.namespace().rule_counter("inet others forward")
    }

    /// Connects to `shop/cart`; returns how many connections came about, and what its rules counted.
    pub fn connect_to_cart(&self) -> Result<(u64, Counted)> {
        let connected = self.connect(CART)?;
        let of = |family: &str| {
            let chain = format!("{family} filter KUBE-SERVICES");
            self.node.namespace().rule_counter(&chain)
        };
        let counted = Counted {
            sent: 2 * CONNECTIONS,
            counted: of("ip")? + of("ip6")?,
        };
        Ok((connected, counted))
    }

    /// Connects to `shop/pay`; returns how many connections came about.
    pub fn connect_to_pay(&self) -> Result<u64> {
        self.connect(PAY)
    }

    /// First packets of connections that were translated.
    pub fn translated(&self) -> Result<u64> {
        let of = |family: &str| {
            let chain = format!("{family} nat pre");
            self.node.namespace().rule_counter(&chain)
        };
        Ok(of("ip")? + of("ip6")?)
    }

    fn connect(&self, service: [&str; 2]) -> Result<u64> {
        let mut connected = 0;
        for address in service {
            let connect = format!("tcp-connect {address} 80 {CONNECTIONS}");
            let facts = self.client.traffic(self.node.host()).run(&connect)?;
            connected += facts.get("connected")?;
        }
        Ok(connected)
    }
}
