//! The values that users of other charts expect, each by what it does to the objects.

use std::fs;
use std::path::Path;
use std::process::Command;

use netdiag_e2e::cleanup::TemporaryFolder;
use netdiag_e2e::helm::{self, CHART};
use netdiag_e2e::process;
use serde_json::{Value, json};

use super::chart::NAMESPACE;
use crate::CONTROL_PLANE;

/// Everything at once, in a release that is called `netdiag`.
const CUSTOMARY: &str = r#"
enabled: true
nameOverride: dropwatch
commonLabels: {team: network}
image: {registry: r.example.com/n, pullSecrets: [{name: own}]}
global: {imagePullSecrets: [shared], of-a-parent: 1}
resourceQuota: {enabled: true, pods: 500}
flowControl: {enabled: true, shares: 7}
agent:
  image: {tag: "2", pullPolicy: Always}
  annotations: {reload: "no"}
  terminationGracePeriodSeconds: 30
  livenessProbe: {timeoutSeconds: 8}
  readinessProbe: {initialDelaySeconds: 3}
  serviceAccount: {create: false, name: given}
  podLabels: {team: nodes}
  revisionHistoryLimit: 3
  extraArgs: [--more=1]
  extraEnv: [{name: MORE, value: "1"}]
  extraVolumes: [{name: more, emptyDir: {}}]
  extraVolumeMounts: [{name: more, mountPath: /more}]
  podSecurityContext: {fsGroup: 7}
  securityContext: {readOnlyRootFilesystem: false}
controller:
  image: {registry: own.example.com, repository: a/b, pullPolicy: Never}
  annotations: {reload: auto}
  terminationGracePeriodSeconds: 40
  updateStrategy: {type: Recreate}
  livenessProbe: {failureThreshold: 9}
  readinessProbe: {periodSeconds: 7}
  podDisruptionBudget: {minAvailable: 50%}
  serviceAccount: {annotations: {a: b}}
  revisionHistoryLimit: 4
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]
  extraArgs: [--more=2]
  extraEnv: [{name: MORE, value: "2"}]
  extraVolumes: [{name: more, emptyDir: {}}]
  extraVolumeMounts: [{name: more, mountPath: /more}]
  podSecurityContext: {runAsUser: 1000}
  securityContext: {privileged: false}
metrics: {enabled: true, serviceMonitor: {enabled: true}}
networkPolicy: {from: [{podSelector: {}}]}
"#;

/// A place in an object and the value there.
type Expected = (&'static str, &'static str, Value);

fn render(values: &str) -> Vec<Value> {
    helm::objects(CHART, values).unwrap()
}

fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let is_it = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
    let found = objects.iter().find(is_it);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

#[track_caller]
fn assert_shows(object: &Value, expected: &[Expected]) {
    for (place, rest, value) in expected {
        let shown = object.pointer(&format!("{place}{rest}"));
        assert_eq!(shown, Some(value), "{place}{rest} in {object:#}");
    }
}

const POD: &str = "/spec/template/spec";
const CONTAINER: &str = "/spec/template/spec/containers/0";

#[test]
#[ignore = "needs a control plane"]
fn customary_values_do_what_they_name() {
    let objects = render(CUSTOMARY);
    let agent = find(&objects, "DaemonSet", "netdiag-dropwatch-agent");
    let labels = "/spec/template/metadata/labels";
    assert_shows(
        agent,
        &[
            ("/metadata/labels", "/team", json!("network")),
            (labels, "/team", json!("nodes")),
            (labels, "/app.kubernetes.io~1name", json!("dropwatch")),
            ("/spec", "/revisionHistoryLimit", json!(3)),
            (POD, "/serviceAccountName", json!("given")),
            (POD, "/securityContext/fsGroup", json!(7)),
            (POD, "/imagePullSecrets/1/name", json!("shared")),
            (POD, "/volumes/2/name", json!("more")),
            (
                CONTAINER,
                "/image",
                json!("r.example.com/n/netdiag-agent:2"),
            ),
            (CONTAINER, "/args/5", json!("--more=1")),
            (CONTAINER, "/imagePullPolicy", json!("Always")),
            (CONTAINER, "/livenessProbe/timeoutSeconds", json!(8)),
            (CONTAINER, "/readinessProbe/httpGet/path", json!("/readyz")),
            (CONTAINER, "/readinessProbe/initialDelaySeconds", json!(3)),
            (POD, "/terminationGracePeriodSeconds", json!(30)),
            ("/metadata/annotations", "/reload", json!("no")),
            (CONTAINER, "/env/2/name", json!("MORE")),
            (CONTAINER, "/volumeMounts/2/mountPath", json!("/more")),
            (
                CONTAINER,
                "/securityContext/readOnlyRootFilesystem",
                json!(false),
            ),
            // What is not named stays.
            (
                CONTAINER,
                "/securityContext/capabilities/drop/0",
                json!("ALL"),
            ),
        ],
    );
    let controller = find(&objects, "Deployment", "netdiag-dropwatch-controller");
    let spread = "/topologySpreadConstraints/0/labelSelector/matchLabels";
    assert_shows(
        controller,
        &[
            ("/spec", "/revisionHistoryLimit", json!(4)),
            (POD, "/securityContext/runAsUser", json!(1000)),
            (POD, "/securityContext/runAsNonRoot", json!(true)),
            (
                POD,
                spread,
                controller["spec"]["selector"]["matchLabels"].clone(),
            ),
            (POD, "/volumes/0/name", json!("more")),
            (CONTAINER, "/image", json!("own.example.com/a/b:0.1.0")),
            (CONTAINER, "/args/7", json!("--more=2")),
            (CONTAINER, "/imagePullPolicy", json!("Never")),
            (CONTAINER, "/livenessProbe/failureThreshold", json!(9)),
            (CONTAINER, "/livenessProbe/periodSeconds", json!(10)),
            (CONTAINER, "/livenessProbe/httpGet/path", json!("/healthz")),
            (CONTAINER, "/readinessProbe/periodSeconds", json!(7)),
            (POD, "/terminationGracePeriodSeconds", json!(40)),
            ("/spec/strategy", "/type", json!("Recreate")),
            ("/metadata/annotations", "/reload", json!("auto")),
            (CONTAINER, "/env/1/value", json!("2")),
            (CONTAINER, "/volumeMounts/0/mountPath", json!("/more")),
            (CONTAINER, "/securityContext/privileged", json!(false)),
        ],
    );
    let policy = find(&objects, "NetworkPolicy", "netdiag-dropwatch-controller");
    let peers = json!([{ "podSelector": {} }]);
    assert_shows(policy, &[("/spec/ingress/0", "/from", peers)]);
    let account = find(&objects, "ServiceAccount", "netdiag-dropwatch-controller");
    assert_eq!(account["metadata"]["annotations"]["a"], "b");
    let accounts = |object: &&Value| object["kind"] == "ServiceAccount";
    assert_eq!(
        objects.iter().filter(accounts).count(),
        2,
        "not the agent's"
    );
    let binding = find(&objects, "ClusterRoleBinding", "netdiag-dropwatch-agent");
    assert_eq!(binding["subjects"][0]["name"], "given");
    let flow = find(&objects, "FlowSchema", "netdiag-dropwatch-agents");
    let subject = "/spec/rules/0/subjects/0/serviceAccount";
    assert_shows(flow, &[(subject, "/name", json!("given"))]);
    let level = find(
        &objects,
        "PriorityLevelConfiguration",
        "netdiag-dropwatch-agents",
    );
    let shares = "/nominalConcurrencyShares";
    assert_shows(level, &[("/spec/limited", shares, json!(7))]);
    let policy = "netdiag-dropwatch-agent-writes-its-own-report";
    let policy = find(&objects, "ValidatingAdmissionPolicy", policy);
    let by_whom = policy["spec"]["matchConditions"][0]["expression"].as_str();
    assert!(by_whom.unwrap().contains(":given\""), "{by_whom:?}");
    let budget = find(
        &objects,
        "PodDisruptionBudget",
        "netdiag-dropwatch-controller",
    );
    assert_eq!(budget["spec"]["minAvailable"], "50%");
    assert!(budget["spec"]["maxUnavailable"].is_null());
    let quota = find(
        &objects,
        "ResourceQuota",
        "netdiag-dropwatch-priority-classes",
    );
    assert_eq!(quota["spec"]["hard"]["pods"], "500");
    for object in &objects {
        assert_eq!(
            object["metadata"]["labels"]["team"], "network",
            "{object:#}"
        );
    }
}

#[test]
#[ignore = "needs a control plane"]
fn the_api_server_takes_what_customary_values_give() {
    let kubectl = CONTROL_PLANE.kubectl();
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE },
    });
    kubectl.apply(&namespace.to_string()).unwrap();
    let openshift = "{image: {registry: r}, openshift: {enabled: true}, fullnameOverride: other}";
    for values in [CUSTOMARY, openshift] {
        // The Prometheus operator's kinds are not served here, and a test's pod comes after its account.
        let served = |object: &Value| {
            object["apiVersion"] != "monitoring.coreos.com/v1" && object["kind"] != "Pod"
        };
        let objects: Vec<Value> = render(values).into_iter().filter(served).collect();
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string();
        let apply = ["apply", "--server-side", "--dry-run=server", "-f", "-"];
        kubectl.run_with_input(&apply, &list).unwrap();
    }
}

#[test]
#[ignore = "needs a control plane"]
fn images_have_no_registry_until_it_is_named() {
    let image = |values: &str| {
        let objects = render(values);
        let agent = find(&objects, "DaemonSet", "netdiag-agent");
        let image = agent.pointer(&format!("{CONTAINER}/image"));
        image.unwrap().as_str().unwrap().to_owned()
    };
    for values in ["{}", "{agent: {image: {repository: a/b}}}"] {
        let refused = helm::objects(CHART, values).unwrap_err().to_string();
        assert!(refused.contains("--set image.registry="), "{refused}");
    }
    for (values, expected) in [
        ("image: {registry: r.io/n}", "r.io/n/netdiag-agent:0.1.0"),
        ("global: {imageRegistry: r.io}", "r.io/netdiag-agent:0.1.0"),
        (
            "{image: {registry: a.io, tag: '1'}, global: {imageRegistry: b.io}}",
            "a.io/netdiag-agent:1",
        ),
        (
            "{image: {registry: a.io}, agent: {image: {registry: c.io}}}",
            "c.io/netdiag-agent:0.1.0",
        ),
        (
            "{agent: {image: {repository: r.io/a}}, controller: {image: {repository: localhost/b}}}",
            "r.io/a:0.1.0",
        ),
    ] {
        assert_eq!(image(values), expected, "{values}");
    }
}

#[test]
#[ignore = "needs a control plane"]
fn openshift_says_who_the_controller_is_and_admits_the_agents() {
    let values = "{image: {registry: r}, openshift: {enabled: true, scc: narrow}}";
    let objects = render(values);
    let controller = find(&objects, "Deployment", "netdiag-controller");
    let security = controller
        .pointer(&format!("{POD}/securityContext"))
        .unwrap();
    assert_eq!(security["runAsNonRoot"], true);
    assert!(security["runAsUser"].is_null() && security["runAsGroup"].is_null());
    let agent = find(&objects, "DaemonSet", "netdiag-agent");
    assert_shows(
        agent,
        &[
            (
                CONTAINER,
                "/securityContext/seLinuxOptions/type",
                json!("spc_t"),
            ),
            (
                "/spec/template/metadata/annotations",
                "/openshift.io~1required-scc",
                json!("narrow"),
            ),
        ],
    );
    let role = find(&objects, "Role", "netdiag-agent-scc");
    let rule = json!({
        "apiGroups": ["security.openshift.io"], "resources": ["securitycontextconstraints"],
        "resourceNames": ["narrow"], "verbs": ["use"],
    });
    assert_eq!(role["rules"][0], rule);
    let binding = find(&objects, "RoleBinding", "netdiag-agent-scc");
    assert_eq!(binding["subjects"][0]["name"], "netdiag-agent");
}

#[test]
#[ignore = "needs a control plane"]
fn monitors_scrape_as_they_are_told() {
    let settings = "{enabled: true, interval: 15s, scrapeTimeout: 9s, scheme: https, \
                    tlsConfig: {insecureSkipVerify: true}, labels: {release: prometheus}, \
                    annotations: {a: b}, namespace: monitoring, jobLabel: app, \
                    relabelings: [{action: labeldrop, regex: a}], metricRelabelings: [{action: labeldrop, regex: b}]}";
    let values = format!(
        "{{image: {{registry: r}}, metrics: {{enabled: true, tokenSecret: t, podMonitor: {settings}, \
         serviceMonitor: {settings}}}}}"
    );
    let objects = render(&values);
    let endpoint = json!({
        "port": "metrics", "interval": "15s", "scrapeTimeout": "9s", "scheme": "https",
        "tlsConfig": { "insecureSkipVerify": true },
        "authorization": { "credentials": { "name": "t", "key": "token" } },
        "relabelings": [{ "action": "labeldrop", "regex": "a" }],
        "metricRelabelings": [{ "action": "labeldrop", "regex": "b" }],
    });
    for (kind, endpoints) in [
        ("PodMonitor", "podMetricsEndpoints"),
        ("ServiceMonitor", "endpoints"),
    ] {
        let monitor = find(&objects, kind, "netdiag");
        assert_eq!(monitor["spec"][endpoints], json!([endpoint]));
        assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
        assert_eq!(monitor["metadata"]["annotations"]["a"], "b");
        assert_eq!(monitor["metadata"]["namespace"], "monitoring");
        let pods = json!({ "matchNames": [NAMESPACE] });
        assert_eq!(monitor["spec"]["namespaceSelector"], pods);
        assert_eq!(monitor["spec"]["jobLabel"], "app");
    }
    // The Services that a ServiceMonitor reads lead to the pods' ports.
    for (service, kind) in [
        ("netdiag-agent", "DaemonSet"),
        ("netdiag-controller", "Deployment"),
    ] {
        let selector = &find(&objects, "Service", service)["spec"]["selector"];
        let pods = &find(&objects, kind, service)["spec"]["selector"]["matchLabels"];
        assert_eq!(selector, pods);
    }
}

#[test]
#[ignore = "needs a control plane"]
fn a_parent_chart_switches_it_and_shares_its_registry() {
    let folder = TemporaryFolder::new("parent-chart").unwrap();
    let parent = parent_chart(folder.path());
    let render = |values: &str| helm::objects(&parent, values).unwrap();
    let global = "global: {imageRegistry: mirror.example.com}";
    let objects = render(&format!("{{netdiag: {{enabled: true}}, {global}}}"));
    let agent = find(&objects, "DaemonSet", "netdiag-agent");
    let image = json!("mirror.example.com/netdiag-agent:0.1.0");
    assert_shows(agent, &[(CONTAINER, "/image", image)]);
    assert!(render("netdiag: {enabled: false}").is_empty());
}

/// A chart that depends on this one.
fn parent_chart(folder: &Path) -> String {
    let parent = folder.join("parent");
    fs::create_dir_all(parent.join("charts")).unwrap();
    let chart = "{apiVersion: v2, name: parent, version: 1.0.0, \
                 dependencies: [{name: netdiag, version: '*', condition: netdiag.enabled}]}";
    fs::write(parent.join("Chart.yaml"), chart).unwrap();
    let mut copy = Command::new("cp");
    process::run(copy.arg("-r").arg(CHART).arg(parent.join("charts"))).unwrap();
    parent.to_str().unwrap().to_owned()
}

#[test]
#[ignore = "needs a control plane"]
fn values_that_cannot_work_are_refused() {
    for (value, said) in [
        ("{enabled: false}", "'/enabled': value must be true"),
        (
            "{commonLabels: {app.kubernetes.io/name: mine}}",
            "invalid propertyName 'app.kubernetes.io/name'",
        ),
        (
            "{agent: {serviceAccount: {create: false}}}",
            "'/agent/serviceAccount/name': minLength: got 0, want 1",
        ),
        (
            "{agent: {extraArgs: [1]}}",
            "'/agent/extraArgs/0': got number",
        ),
        (
            "{metrics: {serviceMonitor: {scrapeTimeout: soon}}}",
            "'/metrics/serviceMonitor/scrapeTimeout': 'soon' does not match pattern",
        ),
        (
            "{agent: {image: {name: a}}}",
            "additional properties 'name' not allowed",
        ),
        (
            "{controller: {podDisruptionBudget: {minAvailable: most}}}",
            "'/controller/podDisruptionBudget/minAvailable'",
        ),
        (
            "{agent: {livenessProbe: {httpGet: {path: /}}}}",
            "additional properties 'httpGet' not allowed",
        ),
        (
            "{resourceQuota: {pods: many}}",
            "'/resourceQuota/pods': 'many' does not match pattern",
        ),
    ] {
        let refused = helm::objects(CHART, value).unwrap_err().to_string();
        assert!(refused.contains(said), "{value}: {refused}");
    }
}
