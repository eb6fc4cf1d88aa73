#!/usr/bin/env bash
# All that needs a GPU in one command: build, tests, sanitizer, benchmarks, with logs and figures in
# FOLDER. Needs CUDA's toolkit, and CuPy, torch, scikit-build-core, pybind11, cmake and ninja in the
# Python that runs it; no network. Goes on after a part that fails; the exit status says whether all
# passed.
#   usage: bash bench/gpu.sh [FOLDER]
#   PYTHON: the Python, python3 by default. WHEELS: a folder of wheels that it lacks.
#   PARTS: some of "install facts tests benchmarks fits memcheck racecheck".
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:-bench/results/gpu}
python=${PYTHON:-python3}
parts=${PARTS:-install facts tests benchmarks fits memcheck racecheck}
site=$PWD/build/gpu
export PATH=$PATH:/usr/local/cuda/bin PYTHONPATH=$site
mkdir -p "$out" build
failed=()

part() { # NAME COMMAND...: runs it, keeps what it prints, tells how it went and how long it took
  local name=$1 began=$SECONDS
  shift
  [[ " $parts " == *" $name "* ]] || return 0
  if "$@" >"$out/$name.log" 2>&1; then
    printf '%-12s passed in %d s\n' "$name" $((SECONDS - began))
  else
    printf '%-12s FAILED in %d s; the end of %s:\n' "$name" $((SECONDS - began)) "$out/$name.log"
    tail -n 25 "$out/$name.log"
    failed+=("$name")
  fi
}

install() {
  local into=(-m pip install --no-index --no-deps --upgrade --target "$site")
  rm -rf "$site"
  if [[ -n ${WHEELS:-} ]]; then "$python" "${into[@]}" "$WHEELS"/*.whl || return 1; fi
  "$python" "${into[@]}" --no-build-isolation . -C cmake.define.PROXSTEP_CUDA=ON \
    -C cmake.define.CMAKE_CUDA_ARCHITECTURES=native || return 1
  "$python" -c "import proxstep; proxstep.show_config()"
}

facts() {
  date --utc +%FT%TZ
  git describe --always --dirty 2>/dev/null || true
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
  nvcc --version | tail -n 2
  "$python" -m pip list 2>/dev/null | grep -i -E '^(numpy|cupy|torch|pybind11|scikit)'
}

gpu_tests() { "$python" -m pytest -q -m gpu -p no:cacheprovider --timeout 900 "$@"; }

# Memory pools off, so that every array ends where its allocation ends; the compiled module only.
sanitize() { # TOOL TYPES
  PROXSTEP_TEST_POOLS=off PYTORCH_NO_CUDA_MEMORY_CACHING=1 \
    compute-sanitizer --tool "$1" --error-exitcode 99 --target-processes all \
    "$python" -m pytest -q -m gpu -p no:cacheprovider --timeout 900 \
    -k "native and ($2)" tests/test_device_*.py
}

part install install
part facts facts
[[ -f $out/facts.log ]] && cat "$out/facts.log"
part tests gpu_tests
part benchmarks "$python" bench/gpu_report.py --json "$out/step.json" --markdown "$out/step.md"
[[ -f $out/benchmarks.log ]] && grep -E '✓|✗' "$out/benchmarks.log"
part fits "$python" bench/gpu_fits.py --json "$out/fits.json" --markdown "$out/fits.md"
[[ -f $out/fits.md ]] && cat "$out/fits.md"
part memcheck sanitize memcheck "float32 or bfloat16"
part racecheck sanitize racecheck "float32"

((${#failed[@]} == 0)) && echo "all passed in $SECONDS s" && exit 0
echo "failed: ${failed[*]} ($SECONDS s)"
exit 1
