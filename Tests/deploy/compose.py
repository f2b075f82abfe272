"""Checks compose.yaml as docker-compose prints it: its files, secrets and rights. Prints what is wrong."""

import sys
from pathlib import Path

import yaml

settings = yaml.safe_load(Path(sys.argv[1]).read_text())
made = {path.name for path in Path(sys.argv[2]).iterdir()}
mistakes = []


def expect(is_true, mistake):
    if not is_true:
        mistakes.append(mistake)


services = settings["services"]
used = set()
for name, service in services.items():
    secrets = {secret["source"] for secret in service.get("secrets", [])}
    used |= secrets
    for volume in service.get("volumes", []):
        source, target, mode = volume.split(":")
        if source.startswith("/"):
            expect(Path(source).exists(), f"{name}: {source} isn't there")
            expect(mode == "ro", f"{name}: {target} can be written")
    words = [service.get("command") or "", *service.get("environment", {}).values()]
    for word in " ".join(map(str, words)).replace("=", " ").split():
        if word.startswith("/run/secrets/"):
            expect(Path(word).name in secrets, f"{name}: {word} isn't mounted")
    for text in service.get("environment", {}).values():
        expect(not any((Path(sys.argv[2]) / secret).read_text() in str(text) for secret in made),
               f"{name}: a password is in the environment")
    for other, condition in service.get("depends_on", {}).items():
        has_check = "healthcheck" in services[other] or other == "unstale"  # that one's is in the Dockerfile
        expect(condition["condition"] != "service_healthy" or has_check, f"{name}: {other} is never healthy")
    for port in service.get("ports", []):
        expect(str(port).startswith("127.0.0.1:"), f"{name}: {port} is open to others")
for name in ("install", "unstale"):
    service = services[name]
    expect(service["read_only"] and service["cap_drop"] == ["ALL"], f"{name} may write or has capabilities")
    expect(service["security_opt"] == ["no-new-privileges:true"], f"{name} may gain privileges")
expect(used == settings["secrets"].keys() == made, f"the secrets {made}, {settings['secrets'].keys()} and {used} differ")
scrape, = yaml.safe_load(Path("deploy/prometheus/prometheus.yaml").read_text())["scrape_configs"]
expect(scrape["authorization"]["credentials_file"] == "/run/secrets/admin_token", "Prometheus has no token")
expect(scrape["static_configs"] == [{"targets": [services["unstale"]["environment"]["UNSTALE_ADMIN_HOSTS"] + ":9464"]}],
       "Prometheus calls the worker by a name that it doesn't know")

for mistake in mistakes:
    print(mistake)
sys.exit(bool(mistakes))
