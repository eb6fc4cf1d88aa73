// What the module consists of, a function per file.
#pragma once
#include <pybind11/pybind11.h>

namespace proxstep::bind {

void bind_config(pybind11::module_& m);
void bind_step(pybind11::module_& m);
void bind_optimizer(pybind11::module_& m);
void bind_rows(pybind11::module_& m);
void bind_project(pybind11::module_& m);
void bind_loss(pybind11::module_& m);
void bind_descent(pybind11::module_& m);
void bind_many(pybind11::module_& m);
void bind_margin_loss(pybind11::module_& m);
void bind_matrix(pybind11::module_& m);
void bind_product(pybind11::module_& m);
void bind_rows_descent(pybind11::module_& m);
void bind_layers(pybind11::module_& m);
void bind_decode(pybind11::module_& m);

}  // namespace proxstep::bind
