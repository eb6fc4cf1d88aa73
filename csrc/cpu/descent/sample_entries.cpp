#include "sample_entries.hpp"

namespace proxstep::cpu {

using std::int64_t;

SampleEntries::SampleEntries(const Columns& columns) : starts(columns.samples() + 1, 0) {
  for (int64_t k = 0; k < columns.count(); ++k) {
    columns.for_entries(k, [&](int64_t i, double) { ++starts[i + 1]; });
  }
  for (int64_t i = 0; i < columns.samples(); ++i) starts[i + 1] += starts[i];
  entries.resize(starts.back());
  std::vector<int64_t> next(starts.begin(), starts.end() - 1);
  for (int64_t k = 0; k < columns.count(); ++k) {
    columns.for_entries(k, [&](int64_t i, double v) { entries[next[i]++] = {std::int32_t(k), v}; });
  }
}

}  // namespace proxstep::cpu
