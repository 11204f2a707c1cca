// Runs a model that Modelport compiled with TVM, by TVM's runtime library alone: no Python, no compiler.
//
//   ./run FOLDER [LENGTH...]
//
// FOLDER has model.so and model.params. The model's first input is float32 of these lengths, filled with sin(0), sin(1), …;
// what it answers is printed: name, shape and the first values of each output.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include <tvm/ffi/container/array.h>
#include <tvm/ffi/container/map.h>
#include <tvm/ffi/container/tensor.h>
#include <tvm/ffi/extra/module.h>
#include <tvm/ffi/function.h>
#include <tvm/ffi/string.h>

namespace ffi = tvm::ffi;

// Memory for tensors that the program itself makes; compiled code expects addresses that are multiples of 64 bytes.
struct Allocator {
  void AllocData(DLTensor* tensor) {
    size_t bytes = (ffi::GetDataSize(*tensor) + 63) / 64 * 64;
    tensor->data = std::aligned_alloc(64, bytes ? bytes : 64);
  }
  void FreeData(DLTensor* tensor) { std::free(tensor->data); }
};

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void print(const ffi::String& name, const ffi::Tensor& tensor) {
  std::cout << std::string(name) << " [";
  int64_t count = 1;
  for (int axis = 0; axis < tensor.ndim(); ++axis) {
    std::cout << (axis ? ", " : "") << tensor.shape()[axis];
    count *= tensor.shape()[axis];
  }
  std::cout << "]";
  const float* values = static_cast<const float*>(tensor.data_ptr());
  for (int64_t index = 0; index < count && index < 8; ++index) std::cout << " " << values[index];
  std::cout << "\n";
}

int main(int count, char** arguments) {
  if (count < 2) {
    std::cerr << "expected: run FOLDER [LENGTH...]\n";
    return 2;
  }
  std::string folder = arguments[1];
  std::vector<int64_t> lengths;
  for (int index = 2; index < count; ++index) lengths.push_back(std::atoll(arguments[index]));

  // the library holds the functions of a virtual machine: 1 is the CPU in DLPack, 2 an allocator that keeps its memory
  ffi::Module library = ffi::Module::LoadFromFile(folder + "/model.so");
  ffi::Module machine = library->GetFunction("vm_load_executable").value()().cast<ffi::Module>();
  machine->GetFunction("vm_initialization").value()(1, 0, 2);

  // weights follow the inputs, by their number
  std::string content = read_file(folder + "/model.params");
  ffi::Function load = ffi::Function::GetGlobalRequired("runtime.LoadParams");
  auto weights = load(ffi::Bytes(content)).cast<ffi::Map<ffi::String, ffi::Tensor>>();

  ffi::Tensor input = ffi::Tensor::FromNDAlloc(Allocator(), ffi::Shape(lengths), DLDataType{kDLFloat, 32, 1}, DLDevice{kDLCPU, 0});
  int64_t size = 1;
  for (int64_t length : lengths) size *= length;
  float* values = static_cast<float*>(input.data_ptr());
  for (int64_t index = 0; index < size; ++index) values[index] = std::sin(static_cast<float>(index));

  std::vector<ffi::AnyView> given{input};
  std::vector<ffi::Tensor> held;
  for (size_t number = 0; number < weights.size(); ++number) {
    held.push_back(weights["parameter_" + std::to_string(number)]);
  }
  for (const ffi::Tensor& weight : held) given.push_back(weight);
  ffi::Any answer;
  machine->GetFunction("main").value().CallPacked(given.data(), given.size(), &answer);

  // one output is a tensor, several are an array of them
  auto names = machine->GetFunction("output_names").value()().cast<ffi::Array<ffi::String>>();
  if (names.size() == 1) {
    print(names[0], answer.cast<ffi::Tensor>());
  } else {
    auto outputs = answer.cast<ffi::Array<ffi::Tensor>>();
    for (size_t index = 0; index < names.size(); ++index) print(names[index], outputs[index]);
  }
}
