// SPDX-License-Identifier: Apache-2.0
#include "engine/model/bpe/post_processor.h"

#include <fmt/format.h>

namespace quantscope::bpe {

namespace {

constexpr const char* known_post_processors =
    "one of the post-processors Sequence, TemplateProcessing, ByteLevel";

/// The ids of one {"SpecialToken": {"id": NAME}} of a template.
Expected<std::vector<std::int32_t>> special_ids(const Fields& fields, const Fields& item,
                                                std::int32_t id_end) {
    const auto special = item.object("SpecialToken");
    if (!special) {
        return tl::unexpected(special.error());
    }
    const auto name = special->string("id");
    if (!name) {
        return tl::unexpected(name.error());
    }
    const auto table = fields.object("special_tokens");
    if (!table) {
        return tl::unexpected(table.error());
    }
    const auto entry = table->object(*name);
    if (!entry) {
        return tl::unexpected(entry.error());
    }
    const nlohmann::json* const list = entry->find("ids");
    if (list == nullptr || !list->is_array()) {
        return entry->wrong("ids", "a list of ids");
    }
    std::vector<std::int32_t> ids;
    for (std::size_t i = 0; i < list->size(); ++i) {
        const nlohmann::json& id = (*list)[i];
        if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= static_cast<std::uint64_t>(id_end)) {
            return Fields(id, fields.file(), fmt::format("{}[{}]", entry->place("ids"), i))
                .wrong("", fmt::format("an id below {}", id_end));
        }
        ids.push_back(id.get<std::int32_t>());
    }
    return ids;
}

Expected<Frame> parse_template(const Fields& fields, std::int32_t id_end) {
    if (auto ok = fields.only({"type", "single", "pair", "special_tokens"}); !ok) {
        return tl::unexpected(ok.error());
    }
    const auto items = fields.objects("single");
    if (!items) {
        return tl::unexpected(items.error());
    }
    Frame frame;
    int texts = 0;
    for (const Fields& item : *items) {
        if (auto ok = item.only({"SpecialToken", "Sequence"}); !ok) {
            return tl::unexpected(ok.error());
        }
        if (item.find("Sequence") != nullptr) {
            ++texts;
            continue;
        }
        const auto ids = special_ids(fields, item, id_end);
        if (!ids) {
            return tl::unexpected(ids.error());
        }
        auto& side = texts == 0 ? frame.before : frame.behind;
        side.insert(side.end(), ids->begin(), ids->end());
    }
    if (texts != 1) {
        return fields.wrong("single", "a template with the text once");
    }
    return frame;
}

Expected<Frame> parse_sequence(const Fields& fields, std::int32_t id_end) {
    if (auto ok = fields.only({"type", "processors"}); !ok) {
        return tl::unexpected(ok.error());
    }
    const auto parts = fields.objects("processors");
    if (!parts) {
        return tl::unexpected(parts.error());
    }
    Frame frame;
    for (const Fields& part : *parts) {
        const auto inner = parse_post_processor(part, id_end);
        if (!inner) {
            return inner;
        }
        frame.before.insert(frame.before.begin(), inner->before.begin(), inner->before.end());
        frame.behind.insert(frame.behind.end(), inner->behind.begin(), inner->behind.end());
    }
    return frame;
}

} // namespace

Expected<Frame> parse_post_processor(const Fields& fields, std::int32_t id_end) {
    const auto type = fields.type();
    if (!type) {
        return tl::unexpected(type.error());
    }
    if (*type == "Sequence") {
        return parse_sequence(fields, id_end);
    }
    if (*type == "TemplateProcessing") {
        return parse_template(fields, id_end);
    }
    if (*type == "ByteLevel") { // trims offsets
        if (auto ok = fields.only({"type", "add_prefix_space", "trim_offsets", "use_regex"}); !ok) {
            return tl::unexpected(ok.error());
        }
        return Frame{};
    }
    return fields.unsupported("type", known_post_processors);
}

} // namespace quantscope::bpe
