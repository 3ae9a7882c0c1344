// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/stored_campaign.h"

#include "app/campaign/campaign_lock.h"
#include "app/campaign/errors.h"

#include <QDir>
#include <QFileInfo>

namespace quantscope::cli {
namespace {

tl::unexpected<Error> refuse(const QString& message, const QString& hint) {
    return make_error(ErrorCode::bad_input, message.toStdString(), hint.toStdString());
}

Expected<storage::Id> newestCampaign(storage::Reader& reader) {
    const auto campaigns = campaign::appExpected(reader.repositories.campaigns.list());
    if (!campaigns) {
        return tl::unexpected(campaigns.error());
    }
    if (campaigns->isEmpty()) {
        return refuse(QStringLiteral("The database %1 holds no campaign.").arg(reader.database().path()),
                      QStringLiteral("Run one with `quantscope run`."));
    }
    return campaigns->first().id;
}

} // namespace

Expected<std::unique_ptr<storage::Reader>> openDatabase(const QString& path) {
    if (!QFileInfo::exists(path)) {
        return refuse(QStringLiteral("There is no database %1.").arg(path),
                      QStringLiteral("Run a campaign first, or name another file with --db."));
    }
    return campaign::appExpected(storage::Reader::open(path));
}

Expected<analysis::CampaignData> loadCampaign(storage::Reader& reader, storage::Id campaignId) {
    const auto pinned = campaign::appExpected(reader.snapshot());
    if (!pinned) {
        return tl::unexpected(pinned.error());
    }
    if (campaignId == 0) {
        const auto newest = newestCampaign(reader);
        if (!newest) {
            return tl::unexpected(newest.error());
        }
        campaignId = *newest;
    }
    auto data = campaign::appExpected(analysis::loadCampaignData(reader.repositories, campaignId));
    if (data) {
        data->campaign.status = campaign::liveStatus(reader.database().path(), data->campaign);
    }
    return data;
}

Expected<storage::CampaignSummary> loadSummary(const QString& database, storage::Id campaignId,
                                               const QString& baselineScheme) {
    auto reader = openDatabase(database);
    if (!reader) {
        return tl::unexpected(reader.error());
    }
    const auto data = loadCampaign(**reader, campaignId);
    if (!data) {
        return tl::unexpected(data.error());
    }
    if (baselineScheme.isEmpty()) {
        return analysis::summarize(*data);
    }
    const storage::Id baseline = analysis::runOfScheme(*data, baselineScheme);
    if (baseline == 0) {
        QStringList schemes;
        for (const analysis::RunData& run : data->runs) {
            schemes << run.run.schemeId;
        }
        schemes.removeDuplicates();
        return refuse(QStringLiteral("Campaign %1 has no run of scheme \"%2\" to compare with.")
                          .arg(QString::number(data->campaign.id), baselineScheme),
                      QStringLiteral("It has %1.").arg(schemes.join(QStringLiteral(", "))));
    }
    return analysis::summarize(*data, baseline);
}

Expected<> makeFolder(const QString& path) {
    if (QDir().mkpath(path)) {
        return {};
    }
    return make_error(ErrorCode::io, QStringLiteral("The folder %1 cannot be made.").arg(path).toStdString(),
                      "Choose another folder, or see who may write there.");
}

} // namespace quantscope::cli
