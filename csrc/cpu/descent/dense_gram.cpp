#include "dense_gram.hpp"

#include <algorithm>
#include <utility>

#include "../kernels.hpp"
#include "../pool.hpp"
#include "kernels.hpp"
#include "zeros.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kTileRows = 512;  // samples of one tile
constexpr int64_t kMirrored = 32;   // rows and columns at once: both sides stay in the cache
constexpr int64_t kFetched = 8;     // doubles, of a line of the cache

int64_t panels_of(int64_t columns) { return (columns + kGramPanel - 1) / kGramPanel; }

// Samples of a line of columns, and the line that is read next, `apart` items from one to the next;
// h null: ones.
template <class T>
struct Stored {
  const T* columns[kGramLine];
  const T* next[kGramLine];
  double means[kGramLine];
  int64_t apart;
  const double* h;
};

template <class T>
void pack_sample(const Stored<T>& from, int64_t i, double* to) {
  const double h = from.h ? from.h[i] : 1.0;
  for (int c = 0; c < kGramLine; ++c) {
    to[c] = h * (double(from.columns[c][i * from.apart]) - from.means[c]);
  }
}

// What is read next is fetched meanwhile where it lies far from what is read.
template <class T>
void pack_line(const Stored<T>& from, int64_t count, double* to) {
  for (int64_t i = 0; i < count; ++i) {
    if (from.apart == 1 && i % kFetched == 0) {
      for (const T* column : from.next) __builtin_prefetch(column + i);
    }
    pack_sample(from, i, to + i * kGramPanel);
  }
}

// A tile of one panel, sample by sample; what pads its columns is never used.
template <class T>
void pack_panel(const WantedGram& wanted, int64_t place, int64_t begin, int64_t count,
                const double* h, double* to) {
  const Matrix& X = wanted.X;
  const bool by_rows = X.layout == Matrix::Layout::rows;
  const T* values = static_cast<const T*>(X.values) + begin * (by_rows ? X.p : 1);
  const auto column = [&](int64_t k) { return wanted.columns[std::min(k, wanted.count() - 1)]; };
  const auto start = [&](int64_t k) { return values + column(k) * (by_rows ? 1 : X.n); };
  for (int64_t line = place; line < place + kGramPanel; line += kGramLine) {
    Stored<T> from{{}, {}, {}, by_rows ? X.p : 1, h ? h + begin : nullptr};
    for (int c = 0; c < kGramLine; ++c) {
      from.columns[c] = start(line + c);
      from.next[c] = start(line + c + kGramLine);
      from.means[c] = wanted.means ? wanted.means[column(line + c)] : 0.0;
    }
    pack_line(from, count, to + (line - place));
  }
}

}  // namespace

// Of one tile: those of all columns, and those of the wanted ones times h.
struct DenseGram::Panels {
  Zeros all, own;
  bool shared;
  int64_t samples = 0;

  Panels(const WantedGram& of, bool shared)
      : all(panels_of(of.count()) * kSize),
        own(shared ? 0 : panels_of(of.rows()) * kSize),
        shared(shared) {}
  const double* wanted() const { return shared ? all.data() : own.data(); }

  template <class T>
  void pack(const WantedGram& of, int64_t begin, int64_t end, const double* h) {
    samples = end - begin;
    const int64_t both = panels_of(of.count());
    parallel_for(both + (shared ? 0 : panels_of(of.rows())), 1, [&](int64_t k, int64_t, int64_t) {
      if (k < both) {
        pack_panel<T>(of, k * kGramPanel, begin, samples, nullptr, all.data() + k * kSize);
      } else {
        const int64_t place = of.from + (k - both) * kGramPanel;
        pack_panel<T>(of, place, begin, samples, h, own.data() + (k - both) * kSize);
      }
    });
  }

  static constexpr int64_t kSize = kTileRows * kGramPanel;
  static const double* at(const double* panels, int64_t column) {
    return panels + column / kGramPanel * kSize + column % kGramPanel;
  }
};

DenseGram::DenseGram(const WantedGram& wanted)
    : wanted_(wanted),
      flat_(
          std::all_of(wanted.h, wanted.h + wanted.X.n, [&](double h) { return h == *wanted.h; })) {}

void DenseGram::add(int64_t begin, int64_t end, double* g,
                    const std::function<bool()>& interrupted) const {
  Panels panels(wanted_, flat_ && wanted_.from == 0);
  const double* h = flat_ ? nullptr : wanted_.h;
  for (int64_t i = begin; i < end && !(interrupted && interrupted()); i += kTileRows) {
    const int64_t last = std::min(end, i + kTileRows);
    wanted_.X.dtype == DType::float64 ? panels.pack<double>(wanted_, i, last, h)
                                      : panels.pack<float>(wanted_, i, last, h);
    parallel_for(panels_of(wanted_.count()), 1,
                 [&](int64_t panel, int64_t, int64_t) { add_panel(panels, panel, g); });
  }
}

// One panel of columns with all blocks of rows that reach it.
void DenseGram::add_panel(const Panels& panels, int64_t panel, double* g) const {
  const int64_t column = panel * kGramPanel;
  const int64_t first = std::max<int64_t>(0, column - wanted_.from) / kGramLine * kGramLine;
  for (int64_t row = first; row < wanted_.rows(); row += kGramLine) {
    add_block(panels, row, column, g);
  }
}

void DenseGram::add_block(const Panels& panels, int64_t row, int64_t column, double* g) const {
  const int64_t reach = std::min(wanted_.count(), wanted_.from + row + kGramLine) - column;
  const int64_t width = std::min<int64_t>(kGramPanel, reach);
  const int64_t height = std::min<int64_t>(kGramLine, wanted_.rows() - row);
  const int64_t lines = (width + kGramLine - 1) / kGramLine;
  GramBlock job{Panels::at(panels.wanted(), row),
                Panels::at(panels.all.data(), column),
                panels.samples,
                lines,
                g + row * wanted_.count() + column,
                wanted_.count()};
  if (height == kGramLine && column + lines * kGramLine <= wanted_.count()) {
    return tables().descent->gram(job);
  }
  double part[kGramLine * kGramPanel] = {};
  double* const to = std::exchange(job.g, part);
  job.stride = kGramPanel;
  tables().descent->gram(job);
  for (int64_t r = 0; r < height; ++r) {
    for (int64_t c = 0; c < width; ++c) to[r * wanted_.count() + c] += part[r * kGramPanel + c];
  }
}

void finish_gram(const WantedGram& wanted, double factor, double* g) {
  const int64_t count = wanted.count();
  parallel_for(wanted.rows(), kMirrored, [&](int64_t begin, int64_t end, int64_t) {
    for (int64_t j = begin; j < end; ++j) {
      for (int64_t k = 0; k <= wanted.from + j; ++k) g[j * count + k] *= factor;
    }
    for (int64_t first = 0; first < end; first += kMirrored) {
      for (int64_t j = begin; j < end; ++j) {
        const double* row = g + j * count + wanted.from;
        double* column = g + wanted.from + j;
        const int64_t last = std::min(j, first + kMirrored);
        for (int64_t k = first; k < last; ++k) column[k * count] = row[k];
      }
    }
  });
}

}  // namespace proxstep::cpu
