// The entries of chosen columns of a sparse X, by their samples.
#pragma once
#include <cstdint>
#include <vector>

#include "columns.hpp"

namespace proxstep::cpu {

struct SampleEntries {
  explicit SampleEntries(const Columns& columns);
  struct Entry {
    std::int32_t place;
    double value;
  };
  std::vector<std::int64_t> starts;
  std::vector<Entry> entries;
};

}  // namespace proxstep::cpu
