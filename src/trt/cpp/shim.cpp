// TensorRT's C++ interface as plain functions. Its objects have virtual tables that only a C++ compiler lays out; all
// else is done in Rust. Nothing here throws, allocates on its own, or calls CUDA; the library is not linked: the factories
// are handed in as they were found in it.

#include <cstddef>
#include <cstdint>

#include "NvInfer.h"
#include "NvOnnxParser.h"

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define NAME(function) JOIN(FLAVOUR, function)

using Say = void (*)(int32_t severity, char const* words);
using Factory = void* (*)(void* logger, int32_t version);
using ParserFactory = void* (*)(void* network, void* logger, int version);

namespace {

class Logger : public nvinfer1::ILogger {
public:
    Say say = nullptr;

    void log(Severity severity, nvinfer1::AsciiChar const* words) noexcept override {
        if (say != nullptr) {
            say(static_cast<int32_t>(severity), words);
        }
    }
};

// TensorRT keeps the first logger that it is given for the life of the process.
Logger logger;

}  // namespace

extern "C" {

int32_t NAME(major)() {
    return NV_TENSORRT_MAJOR;
}

void* NAME(runtime)(Factory create, Say say) {
    logger.say = say;
    return create(&logger, NV_TENSORRT_VERSION);
}

void* NAME(engine)(void* runtime, void const* plan, size_t size) {
    return static_cast<nvinfer1::IRuntime*>(runtime)->deserializeCudaEngine(plan, size);
}

void* NAME(context)(void* engine) {
    return static_cast<nvinfer1::ICudaEngine*>(engine)->createExecutionContext();
}

int32_t NAME(tensors)(void* engine) {
    return static_cast<nvinfer1::ICudaEngine*>(engine)->getNbIOTensors();
}

// Name, whether it is an input, element type and shape (at most eight sizes) of a tensor; how many sizes, or -1.
int32_t NAME(tensor)(void* engine, int32_t at, char const** name, int32_t* is_input, int32_t* element, int64_t* sizes) {
    auto* of = static_cast<nvinfer1::ICudaEngine*>(engine);
    *name = of->getIOTensorName(at);
    if (*name == nullptr) {
        return -1;
    }
    *is_input = of->getTensorIOMode(*name) == nvinfer1::TensorIOMode::kINPUT ? 1 : 0;
    *element = static_cast<int32_t>(of->getTensorDataType(*name));
    auto const shape = of->getTensorShape(*name);
    if (shape.nbDims < 0 || shape.nbDims > 8) {
        return -1;
    }
    for (int32_t axis = 0; axis < shape.nbDims; ++axis) {
        sizes[axis] = shape.d[axis];
    }
    return shape.nbDims;
}

int32_t NAME(bind)(void* context, char const* name, void* address) {
    return static_cast<nvinfer1::IExecutionContext*>(context)->setTensorAddress(name, address) ? 1 : 0;
}

int32_t NAME(enqueue)(void* context, void* stream) {
    return static_cast<nvinfer1::IExecutionContext*>(context)->enqueueV3(static_cast<cudaStream_t>(stream)) ? 1 : 0;
}

void NAME(free_context)(void* context) {
    delete static_cast<nvinfer1::IExecutionContext*>(context);
}

void NAME(free_engine)(void* engine) {
    delete static_cast<nvinfer1::ICudaEngine*>(engine);
}

void NAME(free_runtime)(void* runtime) {
    delete static_cast<nvinfer1::IRuntime*>(runtime);
}

// A plan from the bytes of an ONNX file; null, after words to the logger, if there is none.
void* NAME(build)(Factory create_builder, ParserFactory create_parser, Say say, void const* onnx, size_t size, int32_t half) {
    logger.say = say;
    auto* builder = static_cast<nvinfer1::IBuilder*>(create_builder(&logger, NV_TENSORRT_VERSION));
    if (builder == nullptr) {
        return nullptr;
    }
    nvinfer1::IHostMemory* plan = nullptr;
    auto* network = builder->createNetworkV2(0);
    auto* config = builder->createBuilderConfig();
    auto* parser = network == nullptr
        ? nullptr
        : static_cast<nvonnxparser::IParser*>(create_parser(network, &logger, NV_ONNX_PARSER_VERSION));
    if (config != nullptr && parser != nullptr && parser->parse(onnx, size)) {
        // What is asked for in 32 bits shall be computed in 32 bits: TF32 has ten bits of mantissa.
        config->clearFlag(nvinfer1::BuilderFlag::kTF32);
#if NV_TENSORRT_MAJOR == 10
        if (half != 0) {
            config->setFlag(nvinfer1::BuilderFlag::kFP16);
        }
#else
        // Since 11, and in RTX, a network is computed in the types that stand in it.
        static_cast<void>(half);
#endif
        plan = builder->buildSerializedNetwork(*network, *config);
    }
    delete parser;
    delete network;
    delete config;
    delete builder;
    return plan;
}

void const* NAME(plan)(void* memory, size_t* size) {
    auto* plan = static_cast<nvinfer1::IHostMemory*>(memory);
    *size = plan->size();
    return plan->data();
}

void NAME(free_plan)(void* memory) {
    delete static_cast<nvinfer1::IHostMemory*>(memory);
}

}  // extern "C"
