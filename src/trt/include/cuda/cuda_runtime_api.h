// The two names of CUDA's runtime that TensorRT's headers use. Nothing is called through them.
#pragma once

typedef struct CUstream_st* cudaStream_t;
typedef struct CUevent_st* cudaEvent_t;
