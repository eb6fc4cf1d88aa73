#!/usr/bin/env bash
# All that needs a GPU in one command: build, tests, sanitizer, benchmarks, with their figures in
# FOLDER. Needs CUDA's toolkit, CuPy, torch, scikit-build-core, pybind11, cmake and ninja where the
# Python that runs it finds them, and no network. Goes on after a part that fails; the exit status
# says whether all passed.
#   usage: [PYTHON=python3] [WHEELS=folder of wheels that are missing] bash bench/gpu.sh [FOLDER]
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:-bench/results/gpu}
mkdir -p "$out" build
venv=$PWD/build/gpu
failed=()

part() { # NAME COMMAND...: runs it, keeps what it prints, tells how it went and how long it took
  local name=$1 began=$SECONDS
  shift
  if "$@" >"$out/$name.log" 2>&1; then
    printf '%-12s passed in %d s\n' "$name" $((SECONDS - began))
  else
    printf '%-12s FAILED in %d s; the end of %s:\n' "$name" $((SECONDS - began)) "$out/$name.log"
    tail -n 25 "$out/$name.log"
    failed+=("$name")
  fi
}

facts() {
  date --utc +%FT%TZ
  git describe --always --dirty 2>/dev/null || true
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
  nvcc --version | tail -n 2
  "$venv/bin/python" -m pip list 2>/dev/null | grep -i -E '^(numpy|cupy|torch|pybind11|scikit)'
}

install() {
  "${PYTHON:-python3}" -m venv --clear --system-site-packages "$venv" || return 1
  if [[ -n ${WHEELS:-} ]]; then
    "$venv/bin/pip" install --no-index --no-deps "$WHEELS"/*.whl || return 1
  fi
  "$venv/bin/pip" install --no-index --no-deps --no-build-isolation . \
    -C cmake.define.PROXSTEP_CUDA=ON -C cmake.define.CMAKE_CUDA_ARCHITECTURES=native || return 1
  "$venv/bin/proxstep" info
}

gpu_tests() { "$venv/bin/python" -m pytest -q -m gpu -p no:cacheprovider "$@"; }

# Memory pools off, so that every array ends where its allocation ends.
sanitize() { # TOOL TESTS...
  local tool=$1
  shift
  PROXSTEP_TEST_POOLS=off PYTORCH_NO_CUDA_MEMORY_CACHING=1 \
    compute-sanitizer --tool "$tool" --error-exitcode 99 --target-processes all \
    "$venv/bin/python" -m pytest -q -m gpu -p no:cacheprovider --timeout 900 "$@"
}

part install install
part facts facts
cat "$out/facts.log"
part tests gpu_tests
part memcheck sanitize memcheck -k "native and (float32 or bfloat16)" tests/test_device_step.py \
  tests/test_device_groups.py tests/test_device_projections.py tests/test_device_losses.py
part racecheck sanitize racecheck -k "native and float32" tests/test_device_step.py \
  tests/test_device_groups.py tests/test_device_projections.py tests/test_device_losses.py
part benchmarks "$venv/bin/python" bench/gpu_report.py --json "$out/step.json" \
  --markdown "$out/step.md"
grep -E '✓|✗' "$out/benchmarks.log"

((${#failed[@]} == 0)) && echo "all passed in $SECONDS s" && exit 0
echo "failed: ${failed[*]} ($SECONDS s)"
exit 1
