#include "lent_weights.hpp"

#include <string>

#include "checks.hpp"
#include "layout.hpp"
#include "lent_rows.hpp"
#include "loss_arguments.hpp"

namespace proxstep::bind {

using std::int64_t;

template <class T>
LentWeights<T>::LentWeights(const py::dict& outer, const py::list& blocks, bool erf) {
  model_.channels = lend(outer, "norm").size();
  model_.erf = erf;
  model_.norm = vector(outer, "norm");
  model_.head = matrix(outer, "head", kAny, model_.channels);
  model_.tokens = matrix(outer, "token_embedding", model_.head.rows, model_.channels).dense;
  const Weight<T> positions = matrix(outer, "position_embedding", kAny, model_.channels);
  model_.positions = positions.dense;
  model_.context = positions.rows;
  if (blocks.empty()) throw py::value_error("there are no blocks");
  take_head_size(blocks[0]);
  for (const auto& each : blocks) model_.blocks.push_back(block(py::cast<py::dict>(each)));
}

template <class T>
void LentWeights<T>::check_apart(const Borrowed& output) const {
  for (const Borrowed& weight : lent_) check_no_overlap(output, weight);
}

// All heads are of one size, which the first block tells.
template <class T>
void LentWeights<T>::take_head_size(const py::dict& first) {
  const auto heads = py::cast<int64_t>(first["heads"]);
  const Array& qkv = lend(first, "qkv");
  if (heads < 1 || qkv.ndim != 2 || qkv.shape[0] % (3 * heads) != 0) {
    throw py::value_error(shaped(lent_.back()) + " and " + std::to_string(heads) +
                          " heads; a row for each of q, k and v of every head is needed");
  }
  model_.head_size = qkv.shape[0] / (3 * heads);
}

template <class T>
cpu::DecodeBlock<T> LentWeights<T>::block(const py::dict& dict) {
  cpu::DecodeBlock<T> made;
  made.heads = py::cast<int64_t>(dict["heads"]);
  const int64_t width = made.heads * model_.head_size, channels = model_.channels;
  made.norm1 = vector(dict, "norm1");
  made.norm2 = vector(dict, "norm2");
  made.qkv = matrix(dict, "qkv", 3 * width, channels);
  made.projection = matrix(dict, "projection", channels, width);
  made.up = matrix(dict, "up", kAny, channels);
  made.down = matrix(dict, "down", channels, made.up.rows);
  return made;
}

template <class T>
const Array& LentWeights<T>::lend(const py::dict& dict, const char* name) {
  const py::object object = dict[name];
  keep_.append(object);
  lent_.push_back(Borrowed::floating(object, name));
  return lent_.back().array;
}

template <class T>
const T* LentWeights<T>::vector(const py::dict& dict, const char* name) {
  const Array& a = lend(dict, name);
  check_rows_of(lent_.back(), dtype_of<T>(), model_.channels, kOneAxis);
  return static_cast<const T*>(a.data);
}

template <class T>
Weight<T> LentWeights<T>::matrix(const py::dict& dict, const char* name, int64_t rows,
                                 int64_t columns) {
  const Array& a = lend(dict, name);
  check_rows_of(lent_.back(), dtype_of<T>(), rows == kAny ? a.shape[0] : rows, columns);
  Weight<T> weight;
  weight.rows = a.shape[0];
  weight.columns = columns;
  weight.dense = static_cast<const T*>(a.data);
  return weight;
}

template class LentWeights<float>;
template class LentWeights<double>;

}  // namespace proxstep::bind
