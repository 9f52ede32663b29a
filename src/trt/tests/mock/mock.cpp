// A TensorRT and a CUDA driver in one library, without a GPU: an engine with one input `x` and one output `y` of four
// floats each, y = 2 x + run. Memory of the GPU is memory; a graph is a list of what was done while it was captured.
//
// Built by the test against the headers that the shim was built against; pure.h overrides everything in TensorRT's
// classes with an end of the process, so what is not overridden here is not called.

#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

#include "NvInfer.h"
#include "pure.h"

using namespace nvinfer1;

namespace {

struct Graph {
    std::vector<std::function<void()>> steps;
};

Graph* capturing = nullptr;
int runs = 0;

void put(std::function<void()> step) {
    if (capturing != nullptr) {
        capturing->steps.push_back(std::move(step));
    } else {
        step();
    }
}

template <class Interface, class Implementation>
struct Object : Interface {
    Object() { this->mImpl = &implementation; }
    Implementation implementation;
};

struct Context : pure::VExecutionContext {
    float* x = nullptr;
    float* y = nullptr;

    bool setTensorAddress(char const* name, void* data) noexcept override {
        (*name == 'x' ? x : y) = static_cast<float*>(data);
        return true;
    }
    bool enqueueV3(cudaStream_t) noexcept override {
        put([this] {
            ++runs;
            for (int i = 0; i < 4; ++i) {
                y[i] = 2 * x[i] + static_cast<float>(runs);
            }
        });
        return x != nullptr && y != nullptr;
    }
};

struct Engine : pure::VCudaEngine {
    IExecutionContext* createExecutionContext(ExecutionContextAllocationStrategy) noexcept override {
        return new Object<IExecutionContext, Context>;
    }
    int32_t getNbIOTensors() const noexcept override { return 2; }
    char const* getIOTensorName(int32_t at) const noexcept override { return at == 0 ? "x" : "y"; }
    TensorIOMode getTensorIOMode(char const* name) const noexcept override {
        return *name == 'x' ? TensorIOMode::kINPUT : TensorIOMode::kOUTPUT;
    }
    DataType getTensorDataType(char const*) const noexcept override { return DataType::kFLOAT; }
    Dims getTensorShape(char const*) const noexcept override { return Dims{2, {1, 4}}; }
};

ILogger* logger = nullptr;

struct Runtime : pure::VRuntime {
    ICudaEngine* deserializeCudaEngine(void const* plan, std::size_t size) noexcept override {
        if (size == 4 && std::memcmp(plan, "plan", 4) == 0) {
            return new Object<ICudaEngine, Engine>;
        }
        logger->log(ILogger::Severity::kERROR, "this is no plan");
        return nullptr;
    }
};

}  // namespace

extern "C" {

int32_t getInferLibMajorVersion() noexcept { return MAJOR; }
int32_t getInferLibMinorVersion() noexcept { return NV_TENSORRT_MINOR; }
int32_t getInferLibPatchVersion() noexcept { return NV_TENSORRT_PATCH; }

void* createInferRuntime_INTERNAL(void* given, int32_t) noexcept {
    logger = static_cast<ILogger*>(given);
    return new Object<IRuntime, Runtime>;
}

// The driver. Handles are whatever is not null.
int cuInit(unsigned) { return std::getenv("MOCK_NO_DRIVER") != nullptr ? 100 : 0; }
int cuGetErrorString(int, char const** words) {
    *words = "no CUDA-capable device is detected";
    return 0;
}
int cuDeviceGetCount(int* count) { return *count = 1, 0; }
int cuDeviceGet(int* device, int) { return *device = 0, 0; }
int cuDeviceGetName(char* name, int, int) { return std::strcpy(name, "Mock GPU"), 0; }
int cuDevicePrimaryCtxRetain(void** context, int) { return *context = &runs, 0; }
int cuDevicePrimaryCtxRelease_v2(int) { return 0; }
int cuCtxSetCurrent(void*) { return 0; }
int cuStreamCreate(void** stream, unsigned) { return *stream = &runs, 0; }
int cuStreamDestroy_v2(void*) { return 0; }
int cuStreamSynchronize(void*) { return 0; }
int cuMemAlloc_v2(unsigned long long* there, size_t size) {
    *there = reinterpret_cast<unsigned long long>(std::malloc(size));
    return 0;
}
int cuMemFree_v2(unsigned long long there) { return std::free(reinterpret_cast<void*>(there)), 0; }
int cuMemAllocHost_v2(void** here, size_t size) { return *here = std::malloc(size), 0; }
int cuMemFreeHost(void* here) { return std::free(here), 0; }
int cuMemcpyHtoDAsync_v2(unsigned long long there, void const* here, size_t size, void*) {
    put([=] { std::memcpy(reinterpret_cast<void*>(there), here, size); });
    return 0;
}
int cuMemcpyDtoHAsync_v2(void* here, unsigned long long there, size_t size, void*) {
    put([=] { std::memcpy(here, reinterpret_cast<void*>(there), size); });
    return 0;
}
int cuStreamBeginCapture_v2(void*, int) { return capturing = new Graph, 0; }
int cuStreamEndCapture(void*, void** graph) { return *graph = capturing, capturing = nullptr, 0; }
int cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) {
    return *executable = new Graph(*static_cast<Graph*>(graph)), 0;
}
int cuGraphLaunch(void* executable, void*) {
    for (auto& step : static_cast<Graph*>(executable)->steps) {
        step();
    }
    return 0;
}
int cuGraphDestroy(void* graph) { return delete static_cast<Graph*>(graph), 0; }
int cuGraphExecDestroy(void* graph) { return delete static_cast<Graph*>(graph), 0; }

}  // extern "C"
