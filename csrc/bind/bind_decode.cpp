// The module's part of writing text: Decoder, and the function that an exact GELU needs.
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "../cpu/decode.hpp"
#include "../cpu/loss.hpp"
#include "bind.hpp"
#include "checks.hpp"
#include "layout.hpp"
#include "lent_rows.hpp"
#include "lent_weights.hpp"
#include "loss_arguments.hpp"
#include "messages.hpp"

namespace proxstep::bind {
namespace {

using std::int64_t;

// A decoder of either type; calls from several threads take turns.
class AnyDecoder {
 public:
  virtual ~AnyDecoder() = default;
  virtual void read(py::handle tokens, py::handle logits, bool afresh) = 0;
  virtual int64_t packed() const = 0;
};

template <class T>
class TypedDecoder : public AnyDecoder {
 public:
  TypedDecoder(const py::dict& outer, const py::list& blocks, bool erf, bool sparse)
      : lent_(outer, blocks, erf), decoder_(lent_.model(), sparse) {}

  void read(py::handle tokens_object, py::handle logits_object, bool afresh) override {
    const std::vector<int64_t> tokens = copy_tokens(tokens_object);
    const Borrowed logits = Borrowed::output(logits_object, "logits");
    check_rows_of(logits, dtype_of<T>(), decoder_.model().head.rows, kOneAxis);
    lent_.check_apart(logits);
    const auto count = int64_t(tokens.size());
    py::gil_scoped_release released;
    const std::lock_guard<std::mutex> turn(mutex_);
    check_room(afresh ? 0 : decoder_.length(), count);
    if (afresh) decoder_.clear();
    decoder_.read(tokens.data(), count, static_cast<T*>(logits.array.data));
  }
  int64_t packed() const override { return decoder_.packed(); }

 private:
  // What was checked is what is read, even if another thread writes to the array meanwhile.
  std::vector<int64_t> copy_tokens(py::handle object) const {
    const Borrowed lent = Borrowed::any(object, "tokens");
    check_rows_of(lent, DType::int64, lent.array.size(), kOneAxis);
    const auto* first = static_cast<const int64_t*>(lent.array.data);
    std::vector<int64_t> tokens(first, first + lent.array.size());
    check_tokens(tokens);
    return tokens;
  }
  void check_tokens(const std::vector<int64_t>& tokens) const {
    const int64_t vocabulary = decoder_.model().head.rows;
    if (tokens.empty()) throw py::value_error("there are no tokens");
    const int64_t bad = cpu::first_bad_label(tokens.data(), int64_t(tokens.size()), vocabulary);
    if (bad < 0) return;
    throw py::value_error("tokens[" + std::to_string(bad) + "] is " + std::to_string(tokens[bad]) +
                          "; there are " + std::to_string(vocabulary));
  }
  void check_room(int64_t length, int64_t count) const {
    const int64_t context = decoder_.model().context;
    if (length + count <= context) return;
    throw py::value_error(std::to_string(length) + " tokens and " + std::to_string(count) +
                          " more do not fit the context of " + std::to_string(context));
  }

  LentWeights<T> lent_;
  cpu::Decoder<T> decoder_;
  std::mutex mutex_;
};

std::unique_ptr<AnyDecoder> make_decoder(const py::dict& outer, const py::list& blocks, bool erf,
                                         bool sparse) {
  const Borrowed norm = Borrowed::floating(outer["norm"], "norm");
  if (norm.array.dtype == DType::float64) {
    return std::make_unique<TypedDecoder<double>>(outer, blocks, erf, sparse);
  }
  return std::make_unique<TypedDecoder<float>>(outer, blocks, erf, sparse);
}

template <class T>
void write_normal_cdf(const Borrowed& x, const Borrowed& out) {
  py::gil_scoped_release released;
  cpu::normal_cdf(static_cast<const T*>(x.array.data), x.array.size(),
                  static_cast<T*>(out.array.data));
}

void normal_cdf(py::handle x_object, py::handle out_object) {
  const Borrowed x = Borrowed::floating(x_object, "x");
  const Borrowed out = Borrowed::output(out_object, "out");
  check_same_shape(out, x);
  check_same_dtype(out, x);
  check_same_or_apart(out, x);
  if (x.on_device()) throw py::value_error("x is not in CPU memory");
  if (itemsize(x.array.dtype) == 2) {
    throw py::type_error(std::string("x has dtype ") + dtype_name(x.array.dtype) +
                         "; float64 or float32 is needed");
  }
  x.array.dtype == DType::float64 ? write_normal_cdf<double>(x, out)
                                  : write_normal_cdf<float>(x, out);
}

}  // namespace

void bind_decode(py::module_& m) {
  py::class_<AnyDecoder>(m, "Decoder", "A GPT with a cache of keys and values.")
      .def(py::init(&make_decoder), py::arg("outer"), py::arg("blocks"), py::arg("erf"),
           py::arg("sparse"))
      .def("read", &AnyDecoder::read, py::arg("tokens"), py::arg("logits"), py::arg("afresh"),
           "Read more tokens, or only these; logits become those of what follows.")
      .def_property_readonly("packed", &AnyDecoder::packed);
  m.def("normal_cdf", &normal_cdf, py::arg("x"), py::arg("out"),
        "out becomes the normal distribution function of each element of x.");
}

}  // namespace proxstep::bind
