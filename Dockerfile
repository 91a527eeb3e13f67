# One image for every process: docker build --build-arg SERVICE=gateway . (account, token, iam, gateway, edge, cli, simulator, setup).
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS wheel
WORKDIR /source
# Packages are verified before they are installed: every file must have its hash in requirements/.
COPY requirements requirements
COPY scripts/requirements_of.py ./
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python requirements_of.py build requirements/dev.txt > build.txt \
    && pip install --quiet --no-cache-dir --require-hashes --no-deps -r build.txt
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY protos protos
COPY libs libs
COPY services services
COPY simulator simulator
RUN pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels .

FROM ${PYTHON} AS packages
ARG SERVICE
COPY --from=wheel /source/requirements_of.py /source/requirements/run.txt /requirements/
COPY --from=wheel /wheels /wheels
# Without pip, without the test data of libraries, and with only those of AWS's 400 service models that Sellergate and the credential chain call.
# Compiled here: a container with a read-only file system would compile at each start, which takes three times as long.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python -m venv --without-pip /opt/sellergate \
    && python /requirements/requirements_of.py "${SERVICE}" /requirements/run.txt > /requirements/service.txt \
    && pip --python /opt/sellergate/bin/python install --quiet --no-cache-dir --no-compile --no-deps --require-hashes \
       -r /requirements/service.txt \
    && pip --python /opt/sellergate/bin/python install --quiet --no-cache-dir --no-compile --no-deps /wheels/*.whl \
    && find /opt/sellergate -type d -name tests -prune -exec rm -rf {} + \
    && find /opt/sellergate -path '*/botocore/data/*' -prune -type d \
       ! -name sts ! -name sqs ! -name kms ! -name sso ! -name sso-oidc -exec rm -rf {} + \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/sellergate

FROM ${PYTHON}
ARG SERVICE
LABEL org.opencontainers.image.title="sellergate-${SERVICE}"
COPY --from=packages /opt/sellergate /opt/sellergate
ENV PATH=/opt/sellergate/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 SELLERGATE_SERVICE=${SERVICE}
# Numeric, so that Kubernetes can verify that it is not root; the user needs no entry in /etc/passwd.
USER 10001:10001
CMD ["sh", "-c", "exec python -m sellergate_${SELLERGATE_SERVICE}"]
