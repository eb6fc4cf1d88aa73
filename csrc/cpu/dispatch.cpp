// Chooses the tables of one instruction set, by default the best that this processor has.
#include <atomic>
#include <cstring>

#include "cpu_features.hpp"
#include "kernels.hpp"

namespace proxstep::cpu {

extern const StepTable table_step_baseline;
extern const LossTable table_loss_baseline;
extern const DescentTable table_descent_baseline;
extern const ManyTable table_many_baseline;
extern const LineTable table_line_baseline;
extern const RowTable table_row_baseline;
extern const LayerTable table_layer_baseline;
extern const DecodeTable table_decode_baseline;
#ifdef PROXSTEP_X86
extern const StepTable table_step_v3, table_step_v4;
extern const LossTable table_loss_v3, table_loss_v4;
extern const DescentTable table_descent_v3, table_descent_v4;
extern const ManyTable table_many_v3, table_many_v4;
extern const LineTable table_line_v3, table_line_v4;
extern const RowTable table_row_v3, table_row_v4;
extern const LayerTable table_layer_v3, table_layer_v4;
extern const DecodeTable table_decode_v3, table_decode_v4;
#endif

namespace {

constexpr int kMaxIsas = 3;

struct Choices {
  Tables tables[kMaxIsas];
  const char* names[kMaxIsas + 1] = {};
  int count = 0;

  Choices() {
#ifdef PROXSTEP_X86
    const Features features = detect_features();
    if (features.v4)
      add({&table_step_v4, &table_loss_v4, &table_descent_v4, &table_many_v4, &table_line_v4,
           &table_row_v4, &table_layer_v4, &table_decode_v4});
    if (features.v3)
      add({&table_step_v3, &table_loss_v3, &table_descent_v3, &table_many_v3, &table_line_v3,
           &table_row_v3, &table_layer_v3, &table_decode_v3});
#endif
    add({&table_step_baseline, &table_loss_baseline, &table_descent_baseline, &table_many_baseline,
         &table_line_baseline, &table_row_baseline, &table_layer_baseline, &table_decode_baseline});
  }
  void add(Tables t) {
    names[count] = t.step->isa;
    tables[count++] = t;
  }
  const Tables* find(const char* name) const {
    for (int k = 0; k < count; ++k) {
      if (std::strcmp(names[k], name) == 0) return &tables[k];
    }
    return nullptr;
  }
};

const Choices& choices() {
  static const Choices all;
  return all;
}

std::atomic<const Tables*>& chosen() {
  static std::atomic<const Tables*> current{&choices().tables[0]};
  return current;
}

}  // namespace

const Tables& tables() { return *chosen().load(std::memory_order_relaxed); }
const char* isa() { return tables().step->isa; }
const char* const* available_isas() { return choices().names; }

bool set_isa(const char* name) {
  const Tables* named = choices().find(name);
  if (named) chosen().store(named, std::memory_order_relaxed);
  return named != nullptr;
}

const char* missing_baseline_feature() {
#ifdef PROXSTEP_X86
  if (!detect_features().v2) return "x86-64-v2 (SSE4.2 and POPCNT)";
#endif
  return nullptr;
}

}  // namespace proxstep::cpu
