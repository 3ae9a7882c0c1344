// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/weight_stage.h"

#include "engine/backend/cuda/status_error.h"
#include "engine/schemes/hadamard.h"
#include "engine/schemes/quantize.h"
#include "engine/schemes/rotation.h"
#include "kernels/load/load.h"
#include "kernels/rows/row_transform.h"

#include <algorithm>
#include <array>
#include <cuda_runtime.h>
#include <fmt/format.h>

namespace quantscope::cuda {
namespace {

using kernels::cuda_status;
using kernels::DeviceBuffer;
using kernels::PackedWeights;

constexpr auto loading = "Loading the model onto the GPU";

kernels::FileType file_type(DType dtype) {
    return dtype == DType::f32   ? kernels::FileType::f32
           : dtype == DType::f16 ? kernels::FileType::f16
                                 : kernels::FileType::bf16;
}

/// Room for at least `count` elements; what is there may be lost.
template<class T>
Expected<> grow(DeviceBuffer<T>& buffer, std::size_t count) {
    if (buffer.size() < count) {
        buffer = {}; // give the old room back first
        QS_CUDA_EXPECT(buffer.allocate(count), loading);
    }
    return {};
}

} // namespace

WeightStage::WeightStage(const Checkpoint& checkpoint, const Scheme& scheme)
    : checkpoint_(checkpoint), config_(checkpoint.config()), scheme_(scheme),
      rotation_(scheme.rotation, config_.hidden_size, config_.intermediate_size, config_.head_dim) {}

Expected<> WeightStage::open() {
    // A word for each matrix that is read, and one for each that is stored as halves.
    const std::size_t words = 16 * (static_cast<std::size_t>(config_.num_hidden_layers) + 1);
    auto room = upload_.open().and_then([&] { return grow(found_, words); }).and_then([&] {
        return grow(raw_, StagedUpload::piece_bytes);
    });
    if (!room) {
        return room;
    }
    QS_CUDA_EXPECT(cuda_status(cudaMemset(found_.data(), 0, found_.bytes()), "clearing device memory"),
                   loading);
    return rotation_.folds_norms() ? upload(rotation_signs(config_.hidden_size), signs_) : Expected<>();
}

Expected<> WeightStage::upload(const std::vector<float>& values, DeviceBuffer<float>& out) {
    QS_CUDA_EXPECT(out.allocate(values.size()), loading);
    constexpr std::size_t piece = StagedUpload::piece_bytes / sizeof(float);
    for (std::size_t done = 0; done < values.size(); done += piece) {
        const std::size_t count = std::min(piece, values.size() - done);
        if (auto ok = upload_.copy(out.data() + done, values.data() + done, count * sizeof(float)); !ok) {
            return ok;
        }
    }
    return {};
}

/// Where the next conversion reports; finish() says so with `name`.
Expected<std::uint32_t*> WeightStage::watch(const std::string& name, const TensorView* tensor) {
    if (watched_.size() == found_.size()) {
        return make_error(ErrorCode::internal, "More weights were converted than there was room to watch.");
    }
    watched_.push_back({name, tensor != nullptr ? std::optional(*tensor) : std::nullopt});
    return found_.data() + (watched_.size() - 1);
}

Expected<> WeightStage::finish() {
    std::vector<std::uint32_t> found(watched_.size());
    QS_CUDA_EXPECT(cuda_status(cudaMemcpy(found.data(), found_.data(), found.size() * sizeof found[0],
                                          cudaMemcpyDeviceToHost),
                               "converting weights on the device"),
                   loading);
    for (std::size_t i = 0; i < found.size(); ++i) {
        const Watched& watched = watched_[i];
        if (found[i] == 0) {
            continue;
        }
        if (!watched.tensor) {
            return make_error(
                ErrorCode::unsupported,
                fmt::format("{} has a weight beyond 65504, the largest that a half holds.", watched.name),
                "Use --backend cpu, which keeps the checkpoint's precision.");
        }
        auto finite = check_finite(*watched.tensor); // names the element
        return finite ? make_error(ErrorCode::bad_input,
                                   fmt::format("Tensor {} changed while it was read.", watched.name))
                      : finite;
    }
    return {};
}

void WeightStage::shrink() {
    values_ = {};
    halves_ = {};
}

Expected<std::vector<float>> WeightStage::read_vector(const std::string& name, std::int64_t size) const {
    const std::array<std::int64_t, 1> shape{size};
    auto tensor = checkpoint_.tensor(name, shape);
    if (!tensor) {
        return tl::unexpected(tensor.error());
    }
    if (auto finite = check_finite(*tensor); !finite) {
        return tl::unexpected(finite.error());
    }
    std::vector<float> values(static_cast<std::size_t>(size));
    to_f32(*tensor, 0, values);
    return values;
}

Expected<> WeightStage::vector(const std::string& name, int size, DeviceBuffer<float>& out) {
    return read_vector(name, size).and_then([&](const std::vector<float>& values) {
        return upload(values, out);
    });
}

Expected<> WeightStage::bias(const GraphLinear& from, DeviceBuffer<float>& out) {
    if (!from.has_bias()) {
        return {};
    }
    std::vector<float> all;
    for (const LinearPart& part : from.parts) {
        auto values =
            part.bias.empty()
                ? Expected<std::vector<float>>(std::vector<float>(static_cast<std::size_t>(part.outputs)))
                : read_vector(part.bias, part.outputs);
        if (!values) {
            return tl::unexpected(values.error());
        }
        rotation_.bias(part.role, *values);
        all.insert(all.end(), values->begin(), values->end());
    }
    return upload(all, out);
}

Expected<> WeightStage::read_part(const LinearPart& part, int inputs, float* out) {
    const std::array<std::int64_t, 2> shape{part.outputs, inputs};
    const auto tensor = checkpoint_.tensor(part.weight, shape);
    if (!tensor) {
        return tl::unexpected(tensor.error());
    }
    const auto found = watch(part.weight, &*tensor);
    if (!found) {
        return tl::unexpected(found.error());
    }
    constexpr std::size_t piece = StagedUpload::piece_bytes;
    const auto element_bytes = static_cast<std::size_t>(byte_size(tensor->dtype));
    for (std::size_t done = 0; done < tensor->data.size(); done += piece) {
        const std::size_t bytes = std::min(piece, tensor->data.size() - done);
        if (auto ok = upload_.copy(raw_.data(), tensor->data.data() + done, bytes); !ok) {
            return ok;
        }
        QS_CUDA_EXPECT(kernels::widen(file_type(tensor->dtype), raw_.data(), bytes / element_bytes,
                                      out + done / element_bytes, *found, nullptr),
                       loading);
    }
    return {};
}

Expected<> WeightStage::rotate_rows(float* values, int rows, int cols, int block, bool signs) {
    kernels::RowTransform transform;
    transform.x = values;
    transform.rows = rows;
    transform.cols = cols;
    transform.signs = signs ? signs_.data() : nullptr;
    transform.hadamard_block = block;
    transform.store = kernels::RowStore::f32;
    transform.out = values;
    QS_CUDA_EXPECT(kernels::transform_rows(transform, {}), loading);
    return {};
}

Expected<> WeightStage::rotate(const LinearPart& part, int inputs, const DeviceBuffer<float>* gamma,
                               float* values) {
    const int hidden_block = hadamard_block(config_.hidden_size);
    const int head_block = hadamard_block(config_.head_dim);
    if (part.role == WeightRole::o_proj || part.role == WeightRole::down_proj) {
        const int block = part.role == WeightRole::o_proj ? head_block : rotation_.online_block();
        if (auto ok = rotate_rows(values, static_cast<int>(part.outputs), inputs, block, false); !ok) {
            return ok;
        }
        QS_CUDA_EXPECT(kernels::rotate_columns(values, static_cast<int>(part.outputs), inputs, hidden_block,
                                               signs_.data(), nullptr),
                       loading);
        return {};
    }
    if (part.role != WeightRole::embedding) {
        QS_CUDA_EXPECT(
            kernels::scale_columns(values, static_cast<int>(part.outputs), inputs, gamma->data(), nullptr),
            loading);
    }
    if (auto ok = rotate_rows(values, static_cast<int>(part.outputs), inputs, hidden_block, true); !ok) {
        return ok;
    }
    if (part.role == WeightRole::v_proj) {
        QS_CUDA_EXPECT(kernels::rotate_columns(values, static_cast<int>(part.outputs), inputs, head_block,
                                               nullptr, nullptr),
                       loading);
    }
    return {};
}

Expected<> WeightStage::read(std::span<const LinearPart> parts, int inputs,
                             const DeviceBuffer<float>* gamma) {
    std::size_t outputs = 0;
    for (const LinearPart& part : parts) {
        outputs += static_cast<std::size_t>(part.outputs);
    }
    if (auto ok = grow(values_, outputs * static_cast<std::size_t>(inputs)); !ok) {
        return ok;
    }
    float* values = values_.data();
    for (const LinearPart& part : parts) {
        auto done = read_part(part, inputs, values);
        if (done && rotation_.folds_norms()) {
            done = rotate(part, inputs, gamma, values);
        }
        if (!done) {
            return done;
        }
        values += static_cast<std::size_t>(part.outputs) * static_cast<std::size_t>(inputs);
    }
    return {};
}

Expected<> WeightStage::pack(Precision precision, const std::string& name, kernels::RowOrder order, int rows,
                             int cols, PackedWeights& out) {
    const auto count = static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
    if (precision == Precision::fp16) {
        const auto found = watch(name, nullptr);
        if (!found) {
            return tl::unexpected(found.error());
        }
        if (auto ok = grow(halves_, count); !ok) {
            return ok;
        }
        QS_CUDA_EXPECT(kernels::narrow(values_.data(), count, halves_.data(), *found, nullptr), loading);
        QS_CUDA_EXPECT(kernels::pack_weights_f16(order, halves_.data(), rows, cols, out, nullptr), loading);
        return {};
    }
    const int padded = kernels::padded_cols(cols);
    auto room = grow(codes_, static_cast<std::size_t>(rows) * static_cast<std::size_t>(padded)).and_then([&] {
        return grow(scales_, static_cast<std::size_t>(rows));
    });
    if (!room) {
        return room;
    }
    kernels::RowTransform quantize;
    quantize.x = values_.data();
    quantize.rows = rows;
    quantize.cols = cols;
    quantize.out = codes_.data();
    quantize.scales = scales_.data();
    quantize.largest_code = largest_code(precision);
    QS_CUDA_EXPECT(kernels::transform_rows(quantize, {}), loading);
    const auto format =
        precision == Precision::int4 ? kernels::WeightFormat::int4 : kernels::WeightFormat::int8;
    QS_CUDA_EXPECT(
        kernels::pack_weights(format, order, codes_.data(), scales_.data(), rows, padded, out, nullptr),
        loading);
    out.cols = cols; // the padding of the codes is the packed matrix's own
    return {};
}

Expected<> WeightStage::linear(const GraphLinear& from, const DeviceBuffer<float>* gamma,
                               kernels::RowOrder order, PackedWeights& out) {
    const auto inputs = static_cast<int>(from.inputs);
    if (auto ok = read(from.parts, inputs, gamma); !ok) {
        return ok;
    }
    return pack(scheme_.weights, from.parts.front().weight, order, static_cast<int>(from.outputs()), inputs,
                out);
}

Expected<> WeightStage::table(const LinearPart& part, int inputs, const DeviceBuffer<float>* gamma,
                              PackedWeights& out) {
    if (auto ok = read(std::span(&part, 1), inputs, gamma); !ok) {
        return ok;
    }
    return pack(Precision::fp16, part.weight, kernels::RowOrder::plain, static_cast<int>(part.outputs),
                inputs, out);
}

} // namespace quantscope::cuda
