#!/usr/bin/env bash
# All that needs a GPU in one command, the figures first. Needs CUDA's toolkit, and what
# bench/gpu_needs.py lists in the Python that runs it; no network.
#   usage: bash bench/gpu.sh [FOLDER]
#   FOLDER: at most 8 files: a summary, the figures as JSON and Markdown, all logs in one archive.
#   PARTS: some of "install facts benchmarks fits kernels tests memcheck racecheck lm", in this order;
#     by default all, lm only with TEXT. What is not installed is installed first.
#   LIMIT: seconds for all parts together. PYTHON: the Python, python3 by default.
#   WHEELS: a folder of wheels that it lacks. TEXT: a text for lm, tinyshakespeare for quoting.
# A part that fails or runs out of its time stops no other; the exit status says whether all passed.
set -uo pipefail
cd "$(dirname "$0")/.."
export out=${1:-bench/results/gpu} python=${PYTHON:-python3} site=$PWD/build/gpu
export PATH=$PATH:/usr/local/cuda/bin PYTHONPATH=$site PYTHONUNBUFFERED=1
logs=$PWD/build/gpu-logs
parts=${PARTS:-install facts benchmarks fits kernels tests memcheck racecheck ${TEXT:+lm}}
[[ -d $site/proxstep || " $parts " == *" install "* ]] || parts="install $parts"
mkdir -p "$out" "$logs"
failed=()

say() { echo "$@" | tee -a "$out/summary.txt"; }

part() { # NAME SECONDS COMMAND...: keeps what it prints, tells how it went and how long it took
  local name=$1 most=$2 began=$SECONDS log=$logs/$1.log status left=$((${LIMIT:-86400} - SECONDS - 10))
  shift 2
  [[ " $parts " == *" $name "* ]] || return 0
  : >"$log"
  ((left < most)) && most=$left
  ((most < 1)) && say "$name: no time left" && failed+=("$name") && return 0
  timeout -s INT -k 5 "$most" bash -c '"$@"' "$name" "$@" >"$log" 2>&1
  status=$?
  case $status in
    0) say "$name: passed in $((SECONDS - began)) s" ;;
    124 | 137) say "$name: STOPPED after $most s; the end of its log:" ;;
    *) say "$name: FAILED with $status in $((SECONDS - began)) s; the end of its log:" ;;
  esac
  ((status)) && failed+=("$name") && tail -n 25 "$log"
  tar -czf "$out/logs.tar.gz" -C "$logs" .
}

install() {
  local into=(-m pip install --no-index --no-deps --upgrade --target "$site")
  rm -rf "$site"
  if [[ -n ${WHEELS:-} ]]; then "$python" "${into[@]}" "$WHEELS"/*.whl || return 1; fi
  "$python" bench/gpu_needs.py || return 1
  "$python" "${into[@]}" --no-build-isolation . -C build-dir=build/gpu-objects \
    -C cmake.define.PROXSTEP_CUDA=ON -C cmake.define.CMAKE_CUDA_ARCHITECTURES=native || return 1
  "$python" -c "import proxstep; proxstep.show_config()"
}

facts() {
  date --utc +%FT%TZ
  git describe --always --dirty 2>/dev/null || true
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
  nvcc --version | tail -n 2
  "$python" -m pip list 2>/dev/null | grep -i -E '^(numpy|cupy|torch|pybind11|scikit|pytest)'
}

# Warnings of what is newer than the tests are told and fail nothing; nor does a file whose imports
# are missing keep others from running.
gpu_tests() {
  "$python" -m pytest -q -m gpu -W default --continue-on-collection-errors -p no:cacheprovider \
    --timeout 300 "$@"
}

in_parallel() { # PROCESSES DISTRIBUTION ARGUMENTS...
  local across=(-n "$1" --dist "$2")
  "$python" -c "import xdist" 2>/dev/null || across=()
  gpu_tests "${across[@]}" "${@:3}"
}

every_kernel=tests/test_device_every_kernel.py
kernels() { in_parallel 14 load "$every_kernel"; } # compiles all of CuPy's, which keeps them
tests() { in_parallel 8 loadfile --deselect "$every_kernel"; }

# Memory pools off, so that every array ends where its allocation ends; the compiled module only.
sanitize() { # TOOL OPTIONS...
  PROXSTEP_TEST_POOLS=off compute-sanitizer --tool "$1" --error-exitcode 99 "${@:2}" \
    "$python" -m pytest -q -m gpu -W default -p no:cacheprovider --timeout 300 -k native "$every_kernel"
}
# A runtime that is linked in asks for functions which this driver may not have: no error.
memcheck() {
  local options=(--report-api-errors no)
  compute-sanitizer --help | grep -q -e --track-stream-ordered-races &&
    options+=(--track-stream-ordered-races all)
  sanitize memcheck "${options[@]}"
}
racecheck() { sanitize racecheck; }

benchmarks() { "$python" bench/gpu_report.py --json "$out/step.json" --markdown "$out/step.md"; }
fits() { "$python" bench/gpu_fits.py --json "$out/fits.json" --markdown "$out/fits.md"; }
lm() { "$python" bench/lm "$TEXT" --large --seeds 1 --json "$out/lm.json"; }

export every_kernel
export -f install facts benchmarks fits kernels tests memcheck racecheck lm
export -f gpu_tests in_parallel sanitize

# Three calls of ten minutes: up to the fits, then kernels and tests, then the checkers. lm is a fourth.
part install 300 install
part facts 20 facts
[[ " $parts " == *" facts "* ]] && cat "$logs/facts.log"
part benchmarks 150 benchmarks
[[ " $parts " == *" benchmarks "* ]] && grep -E ', n = |✓|✗' "$logs/benchmarks.log"
part fits 110 fits
[[ " $parts " == *" fits "* ]] && cat "$logs/fits.log"
part kernels 130 kernels
part tests 450 tests
part memcheck 290 memcheck
part racecheck 290 racecheck
part lm 580 lm

((${#failed[@]} == 0)) && say "all passed in $SECONDS s" && exit 0
say "failed: ${failed[*]} ($SECONDS s)"
exit 1
