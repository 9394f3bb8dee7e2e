# What each machine of a cluster runs: the flavor for NVIDIA cards and the packages of `dsu batch`.
# Made with `docker build -f deploy/batch.Dockerfile -t dsu-batch .`
FROM python:3.11-slim-bookworm
WORKDIR /opt/dsu
# Packages first, so that a change of our own code does not install them again.
COPY locks/runtime.txt locks/onnxruntime-gpu.txt locks/batch.txt locks/
COPY requirements-cuda.txt requirements-common.txt ./
RUN pip install --no-cache-dir --require-hashes --no-deps -r locks/runtime.txt -r locks/onnxruntime-gpu.txt -r locks/batch.txt \
    && pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cu130 "$(grep '^torch==' requirements-cuda.txt)"
COPY . .
ENV PYTHONPATH=/opt/dsu
