"""The life of one deployment by BentoML's own client, against the address and the key in its environment."""

import sys

import bentoml

tag, name = sys.argv[1:]
bentoml.push(tag)
bentoml.deployment.create(bento=tag, name=name, instance_type="cpu.2", scaling_min=1, scaling_max=1)
deployment = bentoml.deployment.get(name)
deployment.wait_until_ready(timeout=60, check_interval=0.1)
print(deployment.get_status().status)
print(deployment.get_bento(), deployment.get_endpoint_urls()[0])
bentoml.deployment.update(name, scaling_min=1, scaling_max=2)
bentoml.deployment.terminate(name)
bentoml.deployment.delete(name)
