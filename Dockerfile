# Sightline's service. Small by default (no torch); build with --build-arg EXTRAS=clip,text,mllm for real CLIP models,
# with --build-arg GPU=1 for FAISS on an Nvidia card (CUDA 12; then docker run --gpus all).
FROM python:3.11-slim AS build
ARG EXTRAS=mllm
ARG GPU=
WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY sightline sightline
COPY indexer indexer
COPY retriever retriever
COPY generator generator
COPY service service
RUN python -m venv /opt/sightline \
 && /opt/sightline/bin/pip install --no-cache-dir -c constraints.txt ".${EXTRAS:+[$EXTRAS]}" \
 && if [ -n "$GPU" ]; then /opt/sightline/bin/pip uninstall -y faiss-cpu \
      && /opt/sightline/bin/pip install --no-cache-dir "faiss-gpu>=1.14"; fi  # the same module: one of the two

FROM python:3.11-slim
COPY --from=build /opt/sightline /opt/sightline
ENV PATH=/opt/sightline/bin:$PATH SIGHTLINE_INDEX=/data
RUN useradd --create-home sightline && mkdir /data && chown sightline /data
USER sightline
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
CMD ["sightline", "serve", "--host", "0.0.0.0", "--port", "8000"]
