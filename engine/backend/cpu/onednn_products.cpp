// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/onednn_products.h"

#include "engine/backend/cpu/kernels.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <omp.h>
#include <oneapi/dnnl/dnnl.hpp>
#include <string_view>
#include <utility>

namespace quantscope::cpu {
namespace {

/// A product of fixed sizes, made once for each thread: scratch memory must not be shared.
struct Product {
    dnnl::matmul primitive;
    dnnl::memory x;
    dnnl::memory weights;
    dnnl::memory y;
    dnnl::memory scratch;
    bool usable = false;
};

const dnnl::engine& engine() {
    static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
    return cpu;
}

Product make_product(std::int64_t padded_inputs, std::int64_t stride) {
    using dnnl::memory;
    Product product;
    try {
        const memory::desc x({onednn_rows, padded_inputs}, memory::data_type::s8, memory::dims{stride, 1});
        const memory::desc weights({padded_inputs, block_columns}, memory::data_type::s8,
                                   memory::format_tag::BA16a64b4a);
        const memory::desc y({onednn_rows, block_columns}, memory::data_type::s32, memory::format_tag::ab);
        dnnl::primitive_attr attributes;
        attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
        const dnnl::matmul::primitive_desc description({x, weights, y}, attributes, engine());
        const std::string_view implementation = description.impl_info_str();
        if (implementation.find("amx") == std::string_view::npos) {
            return product;
        }
        product.primitive = dnnl::matmul(description);
        product.x = memory(x, engine(), nullptr);
        product.weights = memory(weights, engine(), nullptr);
        product.y = memory(y, engine(), nullptr);
        product.scratch = memory(description.scratchpad_desc(), engine());
        product.usable = true;
    } catch (const dnnl::error&) {
        // "unimplemented" for these sizes or this processor: the kernels serve
        product.usable = false;
    }
    return product;
}

} // namespace

bool onednn_available() {
    static const bool available = [] {
        const char* const wish = std::getenv("QUANTSCOPE_ONEDNN");
        const auto amx = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_amx); // a set of bits
        return (wish == nullptr || std::strcmp(wish, "0") != 0) &&
               (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & amx) == amx;
    }();
    return available;
}

bool onednn_int8(const std::int8_t* codes, std::int64_t stride, const std::int8_t* block,
                 std::int64_t padded_inputs, std::int32_t* out) {
    if (!onednn_available()) {
        return false;
    }
    // Our threads share the columns; an OpenMP team inside each would only be in the way.
    omp_set_num_threads(1);
    thread_local std::map<std::pair<std::int64_t, std::int64_t>, Product> products;
    thread_local dnnl::stream stream(engine());
    auto found = products.find({padded_inputs, stride});
    if (found == products.end()) {
        found = products.emplace(std::pair{padded_inputs, stride}, make_product(padded_inputs, stride)).first;
    }
    Product& product = found->second;
    if (!product.usable) {
        return false;
    }
    try {
        product.x.set_data_handle(const_cast<std::int8_t*>(codes));
        product.weights.set_data_handle(const_cast<std::int8_t*>(block));
        product.y.set_data_handle(out);
        product.primitive.execute(stream, {{DNNL_ARG_SRC, product.x},
                                           {DNNL_ARG_WEIGHTS, product.weights},
                                           {DNNL_ARG_DST, product.y},
                                           {DNNL_ARG_SCRATCHPAD, product.scratch}});
        stream.wait();
    } catch (const dnnl::error&) {
        product.usable = false;
        return false;
    }
    return true;
}

} // namespace quantscope::cpu
