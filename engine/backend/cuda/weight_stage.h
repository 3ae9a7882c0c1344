// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/cuda/staged_upload.h"
#include "engine/model/checkpoint.h"
#include "engine/model/graph.h"
#include "engine/schemes/rotation.h"
#include "engine/schemes/scheme.h"
#include "kernels/gemm/packed_weights.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace quantscope::cuda {

/// The device memory through which one matrix at a time passes: file bytes, f32, rotated f32, codes, packed.
/// The transforms are those of engine/schemes/rotation.h. Nothing waits for the device until finish(), so
/// that files are read while it works.
class WeightStage {
  public:
    WeightStage(const Checkpoint& checkpoint, const Scheme& scheme);

    /// Errors of this and of all below: bad_input (missing tensor), unsupported, oom, device.
    Expected<> open();

    Expected<> vector(const std::string& name, int size, kernels::DeviceBuffer<float>& out);
    /// The parts, one below the other, as the scheme stores a linear. @param gamma of the norm before it, or
    /// null
    Expected<> linear(const GraphLinear& from, const kernels::DeviceBuffer<float>* gamma,
                      kernels::RowOrder order, kernels::PackedWeights& out);
    /// Of all parts, zeros for one without; `out` stays empty where no part has one.
    Expected<> bias(const GraphLinear& from, kernels::DeviceBuffer<float>& out);
    /// A table that no scheme quantizes, as halves.
    Expected<> table(const LinearPart& part, int inputs, const kernels::DeviceBuffer<float>* gamma,
                     kernels::PackedWeights& out);

    /// Waits for all of it. Errors: what the conversions found besides: bad_input (NaN or infinite weights,
    /// naming the element), unsupported (a weight too large for a half).
    Expected<> finish();
    /// Gives back the room of the largest matrices.
    void shrink();

    bool folds_norms() const { return rotation_.folds_norms(); }
    int online_block() const { return rotation_.online_block(); }

  private:
    /// Leaves the parts in values_, converted and rotated.
    Expected<std::vector<float>> read_vector(const std::string& name, std::int64_t size) const;
    Expected<> read(std::span<const LinearPart> parts, int inputs, const kernels::DeviceBuffer<float>* gamma);
    Expected<> read_part(const LinearPart& part, int inputs, float* out);
    Expected<> rotate(const LinearPart& part, int inputs, const kernels::DeviceBuffer<float>* gamma,
                      float* values);
    Expected<> rotate_rows(float* values, int rows, int cols, int block, bool signs);
    Expected<> pack(Precision precision, const std::string& name, kernels::RowOrder order, int rows, int cols,
                    kernels::PackedWeights& out);
    Expected<> upload(const std::vector<float>& values, kernels::DeviceBuffer<float>& out);
    Expected<std::uint32_t*> watch(const std::string& name, const TensorView* tensor);

    const Checkpoint& checkpoint_;
    const ModelConfig& config_;
    const Scheme& scheme_;
    WeightRotation rotation_;                    ///< what it does to matrices is done on the device
    kernels::DeviceBuffer<float> signs_;         ///< [hidden]
    kernels::DeviceBuffer<std::uint8_t> raw_;    ///< a piece of the file
    kernels::DeviceBuffer<float> values_;        ///< the matrix
    kernels::DeviceBuffer<std::int8_t> codes_;   ///< [rows][padded cols]
    kernels::DeviceBuffer<float> scales_;        ///< [rows]
    kernels::DeviceBuffer<__half> halves_;       ///< [rows][cols]
    kernels::DeviceBuffer<std::uint32_t> found_; ///< what conversions found, a word each

    /// A conversion whose word of found_ is looked at in finish().
    struct Watched {
        std::string name;
        std::optional<TensorView> tensor; ///< none: the conversion to halves
    };
    std::vector<Watched> watched_;
    StagedUpload upload_; ///< last: it waits for what is on its way before the others go
};

} // namespace quantscope::cuda
