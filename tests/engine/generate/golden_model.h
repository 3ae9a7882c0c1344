// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/backend.h"
#include "engine/model/checkpoint.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace quantscope::test {

inline std::string model_folder(const std::string& name) {
    return std::string(QUANTSCOPE_SOURCE_DIR "/tests/fixtures/models/") + name;
}

/// The value, or an exception with the error's sentence, which QtTest reports.
template<class T>
T value(Expected<T> result) {
    if (!result) {
        throw std::runtime_error(result.error().message);
    }
    return std::move(*result);
}
inline void value(const Expected<>& result) {
    if (!result) {
        throw std::runtime_error(result.error().message);
    }
}

inline std::shared_ptr<const Checkpoint> open_model(const std::string& name) {
    return value(Checkpoint::open(model_folder(name)));
}

inline std::unique_ptr<Session> open_session(const Checkpoint& checkpoint, const Scheme& scheme, int slots,
                                             int context = 0) {
    return value(value(make_backend("cpu"))->create(checkpoint, scheme, {slots, context}));
}

/// See tests/fixtures/models/README.md.
struct GoldenSequence {
    std::vector<std::int32_t> tokens;
    std::size_t first_position = 0;
    std::vector<float> logits; ///< [positions][vocab]
};

inline std::vector<GoldenSequence> read_golden(const std::string& name) {
    std::ifstream text(model_folder(name) + "/golden.json");
    const nlohmann::json golden = nlohmann::json::parse(text);
    std::ifstream numbers(model_folder(name) + "/golden.f32", std::ios::binary);
    std::vector<GoldenSequence> sequences;
    for (const auto& entry : golden.at("sequences")) {
        GoldenSequence sequence;
        sequence.tokens = entry.at("tokens").get<std::vector<std::int32_t>>();
        sequence.first_position = entry.at("first_position").get<std::size_t>();
        sequence.logits.resize(entry.at("positions").get<std::size_t>() *
                               golden.at("vocab_size").get<std::size_t>());
        numbers.read(reinterpret_cast<char*>(sequence.logits.data()),
                     static_cast<std::streamsize>(sequence.logits.size() * sizeof(float)));
        sequences.push_back(std::move(sequence));
    }
    return sequences;
}

/// The engine's logits at the sequence's golden positions: a prefill, then one token a step.
inline std::vector<float> logits_of(Session& session, int slot, const GoldenSequence& sequence) {
    session.reset(slot);
    const auto vocab = static_cast<std::size_t>(session.vocab_size());
    std::vector<float> all(sequence.logits.size());
    std::span<const std::int32_t> tokens(sequence.tokens);
    const std::size_t positions = all.size() / vocab;
    for (std::size_t i = 0; i < positions; ++i) {
        const auto piece = i == 0 ? tokens.first(sequence.first_position + 1)
                                  : tokens.subspan(sequence.first_position + i, 1);
        const SlotInput input{slot, piece};
        value(session.step({&input, 1}, std::span(all).subspan(i * vocab, vocab)));
    }
    return all;
}

/// ||a - b|| / ||b||
inline double relative_error(std::span<const float> a, std::span<const float> b) {
    double difference = 0.0;
    double size = 0.0;
    for (std::size_t i = 0; i < b.size(); ++i) {
        difference += (a[i] - b[i]) * static_cast<double>(a[i] - b[i]);
        size += b[i] * static_cast<double>(b[i]);
    }
    return std::sqrt(difference / size);
}

} // namespace quantscope::test
