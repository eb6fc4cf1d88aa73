#include "loss.hpp"

#include <algorithm>
#include <vector>

#include "kernels.hpp"
#include "pool.hpp"
#include "registry.hpp"

namespace proxstep::cpu {
namespace {

using std::int64_t;

constexpr int64_t kChunk = 1 << 14;  // elements; about 10 us of one thread

// Whole blocks of lanes where a row is short, at least one row where it is long.
int64_t rows_per_chunk(int64_t classes) {
  const int64_t rows = kChunk / classes;
  return rows >= kLanes ? rows / kLanes * kLanes : std::max<int64_t>(1, rows);
}

const LossKernels<float>& kernels(float) { return tables().loss->f32; }
const LossKernels<double>& kernels(double) { return tables().loss->f64; }

template <class Job>
double sum_over_chunks(double (*loop)(const Job&, int64_t, int64_t), const Job& job, int64_t rows,
                       int64_t chunk) {
  std::vector<double> losses((rows + chunk - 1) / chunk);
  parallel_for(rows, chunk,
               [&](int64_t begin, int64_t end, int64_t k) { losses[k] = loop(job, begin, end); });
  double sum = 0.0;
  for (const double loss : losses) sum += loss;
  return job.scale * sum;
}

}  // namespace

template <class Label>
int64_t first_bad_label(const Label* labels, int64_t rows, int64_t classes) {
  const auto is_bad = [classes](Label label) { return label < 0 || label >= classes; };
  const Label* bad = std::find_if(labels, labels + rows, is_bad);
  return bad == labels + rows ? -1 : bad - labels;
}

template <class T>
double softmax_cross_entropy(const SoftmaxRows<T>& job, int64_t rows) {
  return sum_over_chunks(kernels(T()).softmax, job, rows, rows_per_chunk(job.classes));
}

template <class T>
double margin_loss(int kind, const MarginRows<T>& job, int64_t rows) {
  return sum_over_chunks(kernels(T()).margin[kind], job, rows, kChunk);
}

template <class T>
double logistic_loss(const LogisticRows<T>& job, int64_t rows) {
  static const int kind = find_loss("logistic");
  return margin_loss(kind, MarginRows<T>{job}, rows);
}

template int64_t first_bad_label(const std::int32_t*, int64_t, int64_t);
template int64_t first_bad_label(const int64_t*, int64_t, int64_t);
template double softmax_cross_entropy(const SoftmaxRows<float>&, int64_t);
template double softmax_cross_entropy(const SoftmaxRows<double>&, int64_t);
template double margin_loss(int, const MarginRows<float>&, int64_t);
template double margin_loss(int, const MarginRows<double>&, int64_t);
template double logistic_loss(const LogisticRows<float>&, int64_t);
template double logistic_loss(const LogisticRows<double>&, int64_t);

}  // namespace proxstep::cpu
