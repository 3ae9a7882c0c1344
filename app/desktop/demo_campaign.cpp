// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/demo_campaign.h"

#include "app/campaign/errors.h"
#include "storage/reader.h"

namespace quantscope::desktop {

storage::CampaignSpec demoSpec() {
    storage::CampaignSpec spec;
    spec.name = QStringLiteral("Demo campaign");
    spec.model = spec.problems = QStringLiteral("demo");
    spec.schemes = {QStringLiteral("fp16"), QStringLiteral("int8"), QStringLiteral("w4a8"),
                    QStringLiteral("w4a4-rtn"), QStringLiteral("w4a4-rot")};
    spec.batchSizes = {1, 8};
    return spec;
}

Expected<std::optional<storage::Campaign>> storedDemo(const QString& database) {
    const auto reader = campaign::appExpected(storage::Reader::open(database));
    if (!reader) {
        return tl::unexpected(reader.error());
    }
    const auto campaigns = campaign::appExpected((*reader)->repositories.campaigns.list());
    if (!campaigns) {
        return tl::unexpected(campaigns.error());
    }
    const storage::CampaignSpec wanted = demoSpec();
    for (const storage::Campaign& stored : *campaigns) {
        const storage::CampaignSpec& spec = stored.spec;
        if (spec.model == wanted.model && spec.problems == wanted.problems &&
            spec.schemes == wanted.schemes && spec.batchSizes == wanted.batchSizes && spec.limit == 0) {
            return stored;
        }
    }
    return std::nullopt;
}

} // namespace quantscope::desktop
