// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/backend.h"

namespace quantscope::cpu {

/// The embedded default. Quantized linears multiply int8 and int4 codes exactly in int32; everything else,
/// the `fp16` scheme's products and the KV cache included, computes in f32 (weights keep the checkpoint's
/// precision).
class CpuBackend final : public Backend {
  public:
    DeviceInfo device() const override;
    std::int64_t free_bytes() const override;
    bool supports(const Scheme& scheme) const override;
    Expected<std::unique_ptr<Session>> create(const Checkpoint& checkpoint, const Scheme& scheme,
                                              const SessionLimits& limits) override;
};

} // namespace quantscope::cpu
