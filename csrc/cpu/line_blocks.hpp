// Loops over several dense lines and several outputs at once: what is read is used for all of them.
// The order of additions does not depend on the vector width.
#pragma once
#include "descent/wide.hpp"
#include "line_kernels.hpp"
#include "streams.hpp"

namespace proxstep::cpu {
namespace {

constexpr int kOutputsAtOnce =
    kVectorBytes == 64 ? 5 : 2;  // outputs: times four they stay in registers
constexpr int kLinesAtOnce = 4;
constexpr std::int64_t kPatchLines = 256;  // of a patch, whose lines are short and stay there

// Where some lines begin, or are at a position.
template <class T, int N>
void find_lines(const LineJob& job, std::int64_t k, std::int64_t first, const T* (&line)[N]) {
  for (int q = 0; q < N; ++q) {
    const std::int64_t which = job.lines ? job.lines[k + q] : k + q;
    line[q] = static_cast<const T*>(job.matrix->values) + which * job.length + first;
  }
}

// body(c, C) for all outputs, C of them from the c-th on: a constant.
template <int C = kOutputsAtOnce, class Body>
inline void over_outputs_at_once(std::int64_t outputs, const Body& body, std::int64_t c = 0) {
  for (; c + C <= outputs; c += C) body(c, Streams<C>{});
  if constexpr (C > 1) over_outputs_at_once<C - 1>(outputs, body, c);
}

// to[l * outputs + c] += line[l]' r[c] for rows of r that are `apart` from each other.
template <int L, int C, class T>
inline void dot_patch(const T* const* line, std::int64_t n, const double* r, std::int64_t apart,
                      double* to, std::int64_t outputs) {
  constexpr int kStep = kWidth<double>;
  double parts[L][C][kParts];
  const std::int64_t whole = n / kParts * kParts;
  for (int part = 0; part < kParts; part += kStep) {
    Vector<double> sum[L][C] = {};
    for (std::int64_t i = part; i < whole; i += kParts) {
      Vector<double> right[C];
      for (int c = 0; c < C; ++c) right[c] = vector(r + c * apart + i);
      for (int l = 0; l < L; ++l) {
        const Vector<double> left = widened(line[l] + i);
        for (int c = 0; c < C; ++c) sum[l][c] += left * right[c];
      }
    }
    for (int l = 0; l < L; ++l) {
      for (int c = 0; c < C; ++c) vector(parts[l][c] + part) = sum[l][c];
    }
  }
  for (int l = 0; l < L; ++l) {
    for (int c = 0; c < C; ++c) {
      double* const p = parts[l][c];
      for (std::int64_t i = whole; i < n; ++i)
        p[i - whole] += double(line[l][i]) * r[c * apart + i];
      to[l * outputs + c] += fold(p);
    }
  }
}

// Rows of job.from, output by output.
inline void turn(const LineJob& job, std::int64_t first, std::int64_t n, double* turned) {
  const double* const from = job.from + first * job.outputs;
  for (std::int64_t c = 0; c < job.outputs; ++c) {
    for (std::int64_t i = 0; i < n; ++i) turned[c * kTurned + i] = from[i * job.outputs + c];
  }
}

template <int L, class T>
inline void dot_some(const LineJob& job, std::int64_t k, std::int64_t first, std::int64_t n,
                     const double* turned) {
  const T* line[L];
  find_lines(job, k, first, line);
  over_outputs_at_once(job.outputs, [&](std::int64_t c, auto outputs) {
    dot_patch<L, decltype(outputs)::count>(line, n, turned + c * kTurned, kTurned,
                                           job.to + k * job.outputs + c, job.outputs);
  });
}
template <class T>
void dot_block(const LineJob& job, std::int64_t begin, std::int64_t end, std::int64_t first,
               std::int64_t last, double* turned) {
  for (; first < last; first += kTurnedAtOnce) {
    const std::int64_t left = last - first, n = left < kTurnedAtOnce ? left : kTurnedAtOnce;
    turn(job, first, n, turned);
    std::int64_t k = begin;
    for (; k + kLinesAtOnce <= end; k += kLinesAtOnce) {
      dot_some<kLinesAtOnce, T>(job, k, first, n, turned);
    }
    for (; k < end; ++k) dot_some<1, T>(job, k, first, n, turned);
  }
}

// to[e * outputs + c] += sum over l of line[l][e] f[l * outputs + c] for V vectors of positions.
template <int V, int C, class T>
inline void add_patch(const T* const* line, std::int64_t lines, std::int64_t e, const double* f,
                      double* to, std::int64_t outputs) {
  constexpr int kStep = kWidth<double>;
  Vector<double> sum[V][C] = {};
  for (std::int64_t l = 0; l < lines; ++l) {
    Vector<double> left[V];
    for (int v = 0; v < V; ++v) left[v] = widened(line[l] + e + v * kStep);
    for (int c = 0; c < C; ++c) {
      for (int v = 0; v < V; ++v) sum[v][c] += left[v] * f[l * outputs + c];
    }
  }
  for (int v = 0; v < V; ++v) {
    for (int i = 0; i < kStep; ++i) {
      for (int c = 0; c < C; ++c) to[(e + v * kStep + i) * outputs + c] += sum[v][c][i];
    }
  }
}

template <class T>
void add_block(const LineJob& job, std::int64_t begin, std::int64_t end, std::int64_t first,
               std::int64_t last) {
  constexpr int kStep = kWidth<double>, kVectors = 4;
  for (std::int64_t k = begin; k < end; k += kPatchLines) {
    const std::int64_t left = end - k, lines = left < kPatchLines ? left : kPatchLines;
    const T* line[kPatchLines];
    for (std::int64_t l = 0; l < lines; ++l) {
      const T* one[1];
      find_lines(job, k + l, 0, one);
      line[l] = one[0];
    }
    over_outputs_at_once(job.outputs, [&](std::int64_t c, auto outputs) {
      constexpr int C = decltype(outputs)::count;
      const double* const f = job.from + k * job.outputs + c;
      double* const to = job.to + c;
      std::int64_t e = first;
      for (; e + kVectors * kStep <= last; e += kVectors * kStep) {
        add_patch<kVectors, C>(line, lines, e, f, to, job.outputs);
      }
      for (; e + kStep <= last; e += kStep) add_patch<1, C>(line, lines, e, f, to, job.outputs);
      for (; e < last; ++e) {
        double sum[C] = {};
        for (std::int64_t l = 0; l < lines; ++l) {
          for (int c2 = 0; c2 < C; ++c2) sum[c2] += double(line[l][e]) * f[l * job.outputs + c2];
        }
        for (int c2 = 0; c2 < C; ++c2) to[e * job.outputs + c2] += sum[c2];
      }
    });
  }
}

}  // namespace
}  // namespace proxstep::cpu
