#include "loss.hpp"

#include <optional>

#include "launcher.hpp"
#include "loss_tables.hpp"

namespace proxstep::cuda {
namespace {

using std::int64_t;

constexpr int64_t kNarrow = 1024;        // classes up to which a warp takes a row
constexpr int64_t kEnoughBlocks = 1024;  // to keep a device busy: fewer take no rows in turn

Labels labels_of(const std::int32_t* narrow, const int64_t* wide) {
  return {narrow, reinterpret_cast<const long long*>(wide)};
}

template <class Call>
struct LossLaunch {
  std::string kernel;
  int64_t blocks;
  Call call;
};

// Lanes for 16 bytes each, and as many rows in turn as there are lanes to keep what they found.
template <class T>
void share_narrow_rows(LossLaunch<SoftmaxCall<T>>& launch) {
  SoftmaxCall<T>& call = launch.call;
  call.lanes = call.rounds = 1;
  while (call.lanes < kWarp && call.lanes * kPack<T> < call.classes) call.lanes *= 2;
  const int64_t at_once = kThreads / call.lanes;
  while (call.rounds < call.lanes && call.rows / (at_once * call.rounds * 2) >= kEnoughBlocks) {
    call.rounds *= 2;
  }
  launch.blocks = parts_of(call.rows, at_once * call.rounds);
}

template <class T>
LossLaunch<SoftmaxCall<T>> plan(const SoftmaxRows<T>& job, int64_t rows) {
  LossLaunch<SoftmaxCall<T>> launch = {kernel_name<T>("softmax_wide_kernel"), rows, {}};
  SoftmaxCall<T>& call = launch.call;
  call.rows = rows;
  call.classes = job.classes;
  call.logits = job.logits;
  call.labels = labels_of(job.labels32, job.labels64);
  call.probabilities = job.probabilities;
  call.grad = job.grad;
  call.weights = job.weights;
  call.scale = job.scale;
  if (job.classes <= kNarrow) {
    launch.kernel = kernel_name<T>("softmax_narrow_kernel");
    share_narrow_rows(launch);
  }
  return launch;
}

template <class T>
LossLaunch<LogisticCall<T>> plan(const LogisticRows<T>& job, int64_t rows) {
  const LogisticCall<T> call = {
      rows, job.margin, job.targets, job.grad, job.weights, static_cast<T>(job.scale), nullptr};
  return {kernel_name<T>("logistic_kernel"), chunks_of<T>(rows), call};
}

// The first row with a bad label, in the device's memory.
class BadRow {
 public:
  BadRow(const Launcher& launch, const Labels& labels, int64_t rows, int64_t classes)
      : blocks_(parts_of(rows, kLabelChunk)),
        room_(launch.backend, launch.stream, (blocks_ + 1) * sizeof(long long)) {
    long long* const of_blocks = room_.as<long long>();
    launch(kernel_name<void>("label_kernel"), blocks_, LabelCall{labels, rows, classes, of_blocks});
    if (blocks_ == 1) return;
    launch(kernel_name<void>("first_kernel"), 1,
           FirstCall{of_blocks, static_cast<int>(blocks_), of_blocks + blocks_});
  }
  const long long* row() const { return room_.as<long long>() + (blocks_ > 1 ? blocks_ : 0); }

 private:
  int64_t blocks_;
  Scratch room_;
};

// Launches for the losses too, adds them up and waits.
template <class Call>
LossSum run_and_read(const Launcher& launch, LossLaunch<Call> run, LossSumCall add) {
  const Scratch losses(launch.backend, launch.stream, run.blocks * sizeof(double));
  const Scratch sum(launch.backend, launch.stream, sizeof(LossSum));
  run.call.losses = losses.as<double>();
  launch(run.kernel, run.blocks, run.call);
  add.losses = losses.as<double>();
  add.count = run.blocks;
  add.to = sum.as<LossSum>();
  launch(kernel_name<void>("loss_sum_kernel"), 1, add);
  LossSum found;
  launch.backend.read(launch.stream, &found, sum.as<void>(), sizeof found);
  return found;
}

}  // namespace

template <class T>
SoftmaxResult softmax_cross_entropy(Backend& backend, Stream stream, const SoftmaxRows<T>& job,
                                    int64_t rows) {
  if (rows == 0) return {0.0, -1, 0};
  const Launcher launch{backend, stream};
  LossLaunch<SoftmaxCall<T>> run = plan(job, rows);
  std::optional<BadRow> bad;
  if (!job.probabilities) bad.emplace(launch, run.call.labels, rows, job.classes);
  run.call.bad_row = bad ? bad->row() : nullptr;
  const LossSumCall add = {nullptr, 0, run.call.labels, run.call.bad_row, nullptr};
  const LossSum found = run_and_read(launch, run, add);
  return {job.scale * found.sum, found.bad_row == kNoRow ? -1 : found.bad_row, found.bad_label};
}

template <class T>
double logistic_loss(Backend& backend, Stream stream, const LogisticRows<T>& job, int64_t rows) {
  if (rows == 0) return 0.0;
  return job.scale * run_and_read<LogisticCall<T>>({backend, stream}, plan(job, rows), {}).sum;
}

template <class T>
void softmax_gradient(Backend& backend, Stream stream, const SoftmaxRows<T>& job, int64_t rows) {
  const LossLaunch<SoftmaxCall<T>> run = plan(job, rows);
  if (rows) Launcher{backend, stream}(run.kernel, run.blocks, run.call);
}

template <class T>
void logistic_gradient(Backend& backend, Stream stream, const LogisticRows<T>& job, int64_t rows) {
  const LossLaunch<LogisticCall<T>> run = plan(job, rows);
  if (rows) Launcher{backend, stream}(run.kernel, run.blocks, run.call);
}

template SoftmaxResult softmax_cross_entropy(Backend&, Stream, const SoftmaxRows<float>&, int64_t);
template SoftmaxResult softmax_cross_entropy(Backend&, Stream, const SoftmaxRows<double>&, int64_t);
template double logistic_loss(Backend&, Stream, const LogisticRows<float>&, int64_t);
template double logistic_loss(Backend&, Stream, const LogisticRows<double>&, int64_t);
template void softmax_gradient(Backend&, Stream, const SoftmaxRows<float>&, int64_t);
template void softmax_gradient(Backend&, Stream, const SoftmaxRows<double>&, int64_t);
template void logistic_gradient(Backend&, Stream, const LogisticRows<float>&, int64_t);
template void logistic_gradient(Backend&, Stream, const LogisticRows<double>&, int64_t);

}  // namespace proxstep::cuda
