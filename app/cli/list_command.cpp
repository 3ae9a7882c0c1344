// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/campaign_lock.h"
#include "app/campaign/errors.h"
#include "app/cli/commands.h"
#include "app/cli/output.h"
#include "app/cli/stored_campaign.h"
#include "app/cli/summary_json.h"
#include "app/cli/text_table.h"
#include "ui/numbers/format.h"
#include "ui/numbers/run_numbers.h"

#include <QFileInfo>
#include <QJsonArray>

namespace quantscope::cli {
namespace {

QString numbers(const QList<int>& values) {
    QStringList words;
    for (const int value : values) {
        words << QString::number(value);
    }
    return words.join(QLatin1Char(','));
}

Expected<QList<storage::Campaign>> storedCampaigns(const QString& database) {
    if (database == defaultDatabase() && !QFileInfo::exists(database)) {
        return {}; // nothing was run yet
    }
    auto reader = openDatabase(database);
    if (!reader) {
        return tl::unexpected(reader.error());
    }
    auto campaigns = campaign::appExpected((*reader)->repositories.campaigns.list());
    if (campaigns) {
        for (storage::Campaign& one : *campaigns) {
            one.status = campaign::liveStatus(database, one);
        }
    }
    return campaigns;
}

} // namespace

int listCampaigns(const ListOptions& options) {
    const auto campaigns = storedCampaigns(options.database);
    if (!campaigns) {
        return fail(campaigns.error(), options.json);
    }
    if (options.json) {
        QJsonArray list;
        for (const storage::Campaign& campaign : *campaigns) {
            list.append(campaignJson(campaign));
        }
        printJson({{QStringLiteral("format"), QStringLiteral("quantscope.campaigns/1")},
                   {QStringLiteral("campaigns"), list}});
        return 0;
    }
    if (campaigns->isEmpty()) {
        print(QStringLiteral("There are no campaigns yet. Run one with `quantscope run`.\n"));
        return 0;
    }
    TextTable table;
    table.addColumn(QStringLiteral("id"));
    for (const char* title : {"created", "status", "model", "schemes", "batch sizes", "name"}) {
        table.addColumn(QString::fromUtf8(title), TextTable::Align::Left);
    }
    for (const storage::Campaign& campaign : *campaigns) {
        table.addRow({QString::number(campaign.id), ui::formatDateTime(campaign.createdAt),
                      ui::statusWord(campaign.status), ui::modelName(campaign.spec),
                      campaign.spec.schemes.join(QLatin1Char(',')), numbers(campaign.spec.batchSizes),
                      campaign.spec.name});
    }
    print(table.toText());
    return 0;
}

} // namespace quantscope::cli
