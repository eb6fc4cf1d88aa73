#include "sparse_check.hpp"

#include <algorithm>
#include <vector>

#include "pool.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kChunk = 1 << 16;  // indices; about 20 us of one thread

template <class I>
struct Compressed {
  explicit Compressed(const Matrix& m)
      : indices(static_cast<const I*>(m.indices)),
        starts(static_cast<const I*>(m.starts)),
        lines(m.layout == Matrix::Layout::csc ? m.p : m.n),
        length(m.layout == Matrix::Layout::csc ? m.n : m.p) {}
  const I *indices, *starts;
  int64_t lines, length;  // rows or columns, and how long they are
};

template <class I>
int64_t bad_start(const Compressed<I>& m, int64_t stored) {
  if (m.starts[0] != 0) return 0;
  for (int64_t k = 0; k < m.lines; ++k) {
    if (m.starts[k + 1] < m.starts[k]) return k + 1;
  }
  return m.starts[m.lines] == stored ? -1 : m.lines;
}

template <class I>
int64_t bad_index_of_lines(const Compressed<I>& m, int64_t begin, int64_t end) {
  for (int64_t line = begin; line < end; ++line) {
    int64_t last = -1;
    for (int64_t k = m.starts[line]; k < m.starts[line + 1]; last = m.indices[k++]) {
      if (m.indices[k] <= last || m.indices[k] >= m.length) return k;
    }
  }
  return -1;
}

template <class I>
int64_t bad_index(const Compressed<I>& m) {
  const int64_t stored = m.starts[m.lines];
  if (stored == 0) return -1;
  const int64_t chunk = std::max<int64_t>(1, m.lines * kChunk / stored);
  std::vector<int64_t> found((m.lines + chunk - 1) / chunk);
  parallel_for(m.lines, chunk, [&](int64_t begin, int64_t end, int64_t k) {
    found[k] = bad_index_of_lines(m, begin, end);
  });
  const auto bad = std::find_if(found.begin(), found.end(), [](int64_t k) { return k >= 0; });
  return bad == found.end() ? -1 : *bad;
}

}  // namespace

int64_t first_bad_start(const Matrix& sparse, int64_t stored) {
  return sparse.index == DType::int64 ? bad_start(Compressed<int64_t>(sparse), stored)
                                      : bad_start(Compressed<std::int32_t>(sparse), stored);
}

int64_t first_bad_index(const Matrix& sparse) {
  return sparse.index == DType::int64 ? bad_index(Compressed<int64_t>(sparse))
                                      : bad_index(Compressed<std::int32_t>(sparse));
}

}  // namespace proxstep::cpu
