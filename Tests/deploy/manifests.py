"""Checks what no schema knows: that the manifests in a file that kustomize built refer to each other. Prints what
doesn't."""

import sys
from pathlib import Path

import yaml

manifests = [manifest for manifest in yaml.safe_load_all(Path(sys.argv[1]).read_text()) if manifest]
mistakes = []


def expect(is_true, mistake):
    if not is_true:
        mistakes.append(mistake)


def of_kind(kind):
    found = [manifest for manifest in manifests if manifest["kind"] == kind]
    expect(found, f"there is no {kind}")
    return found


def matches(selector, labels):
    return bool(selector) and selector.items() <= labels.items()


deployment, = of_kind("Deployment")
pod = deployment["spec"]["template"]
labels = pod["metadata"]["labels"]
workers = [container for container in pod["spec"]["containers"] if container["name"] == "unstale"]
expect(len(workers) == 1, f"{len(workers)} containers are named unstale")
worker = workers[0]
ports = {port["name"]: port["containerPort"] for port in worker["ports"]}

# Everything that selects pods, or a service, selects ours.
expect(matches(deployment["spec"]["selector"]["matchLabels"], labels), "the Deployment doesn't select its pods")
for spread in pod["spec"].get("topologySpreadConstraints", []):
    expect(matches(spread["labelSelector"]["matchLabels"], labels), "the spread selects other pods")
service, = of_kind("Service")
expect(matches(service["spec"]["selector"], labels), "the Service selects other pods")
for port in service["spec"]["ports"]:
    expect(port["targetPort"] in ports, f"the Service asks for the port {port['targetPort']}")
monitor, = of_kind("ServiceMonitor")
expect(matches(monitor["spec"]["selector"]["matchLabels"], service["metadata"]["labels"]),
       "the ServiceMonitor selects another Service")
for endpoint in monitor["spec"]["endpoints"]:
    expect(endpoint["port"] in [port["name"] for port in service["spec"]["ports"]],
           f"the ServiceMonitor asks for the port {endpoint['port']}")
if deployment["metadata"]["name"] == "unstale":
    budget, = of_kind("PodDisruptionBudget")
    expect(matches(budget["spec"]["selector"]["matchLabels"], labels), "the PodDisruptionBudget selects other pods")
    expect(budget["spec"]["maxUnavailable"] < deployment["spec"]["replicas"], "all workers may be away at a time")
    policy, = of_kind("NetworkPolicy")
    expect(matches(policy["spec"]["podSelector"]["matchLabels"], labels), "the NetworkPolicy selects other pods")
    expect(all(port["port"] in ports for rule in policy["spec"]["ingress"] for port in rule["ports"]),
           "the NetworkPolicy opens another port")
    expect("readinessProbe" in worker, "the worker has no readiness probe")
else:
    expect("readinessProbe" not in worker, "the worker decides whether the application is ready")
    expect(len(pod["spec"]["containers"]) == 2, "the application's container is gone")

# What the worker is told fits its ports, volumes and Secret.
arguments = worker["args"]
expect(arguments[arguments.index("--admin") + 1].endswith(f":{ports['unstale-admin']}"), "--admin has another port")
for probe in ("livenessProbe", "readinessProbe"):
    if probe in worker:
        expect(worker[probe]["httpGet"]["port"] in ports, f"the {probe} asks another port")
        expect(worker[probe]["httpGet"]["path"] == {"l": "/livez", "r": "/readyz"}[probe[0]], f"the {probe} asks wrongly")
maps = {manifest["metadata"]["name"]: manifest for manifest in of_kind("ConfigMap")}
volumes = {volume["name"]: volume["configMap"]["name"] for volume in pod["spec"]["volumes"]}
for mount in worker["volumeMounts"]:
    expect(volumes.get(mount["name"]) in maps, f"there is no ConfigMap for {mount['mountPath']}")
    expect(mount["readOnly"], f"{mount['mountPath']} can be written")
    rules = maps.get(volumes.get(mount["name"]), {"data": {"": "version: 0"}})["data"]
    expect(all(yaml.safe_load(text)["version"] == 1 for text in rules.values()), "the ConfigMap has no rules in it")
keys = {variable["valueFrom"]["secretKeyRef"]["key"] for variable in worker["env"]}
expect(keys == {"database-url", "redis-url", "admin-token"}, f"the Secret has to have {keys}")
for endpoint in monitor["spec"]["endpoints"]:
    expect(endpoint["authorization"]["credentials"]["key"] in keys, "the ServiceMonitor has no token")

# What it may do.
security = worker["securityContext"]
expect(security["runAsNonRoot"] and security["runAsUser"] == 10001, "the worker runs as root")
expect(security["readOnlyRootFilesystem"], "its root can be written")
expect(not security["allowPrivilegeEscalation"], "it may gain privileges")
expect(security["capabilities"] == {"drop": ["ALL"]}, "it has capabilities")
expect(security["seccompProfile"]["type"] == "RuntimeDefault", "it has all system calls")

for mistake in mistakes:
    print(mistake)
sys.exit(bool(mistakes))
