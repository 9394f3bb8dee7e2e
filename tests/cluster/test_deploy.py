"""The files in deploy/ are what Ray's own schema and this project's command line understand."""

import json
from pathlib import Path

import jsonschema
import ray
import yaml

from utils.cluster.options import read

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
RAY = (ROOT / "requirements-batch.txt").read_text(encoding="utf-8").partition("\nray==")[2].partition("\n")[0]


def loaded(name):
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def test_the_cluster_is_what_rays_schema_allows():
    """Ray itself checks it so before it starts a machine."""
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text(encoding="utf-8"))
    cluster = loaded("ray-cluster.yaml")
    jsonschema.validate(cluster, schema)
    assert cluster["head_node_type"] in cluster["available_node_types"]
    assert cluster["available_node_types"]["head"]["resources"] == {"CPU": 0}


def test_the_job_of_kubernetes_is_a_batch():
    """Its command is understood, its Ray is ours, and only workers have cards."""
    job = loaded("kuberay.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    words = job["spec"]["entrypoint"].split()
    assert words[:3] == ["python", "/opt/dsu/workers/dsu_worker.py", "batch"]
    options = read(words[3:])
    assert options.autoscales
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["rayVersion"] == RAY
    (group,) = cluster["workerGroupSpecs"]
    assert group["maxReplicas"] == options.most_workers
    (container,) = group["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"


def test_the_image_has_what_run_py_installs():
    """From the same locks."""
    text = (DEPLOY / "batch.Dockerfile").read_text(encoding="utf-8")
    for lock in ("locks/runtime.txt", "locks/onnxruntime-gpu.txt", "locks/batch.txt"):
        assert f"-r {lock}" in text
        assert lock in text.partition("RUN")[0]
