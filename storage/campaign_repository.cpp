// SPDX-License-Identifier: Apache-2.0
#include "storage/campaign_repository.h"

#include "storage/database.h"
#include "storage/spec_json.h"
#include "storage/words.h"

namespace quantscope::storage {
namespace {

const QString kCreating = QStringLiteral("storing a campaign");
const QString kProvenance = QStringLiteral("storing where a campaign is measured");

Error noCampaign(const Database& database, Id id) {
    return {ErrorKind::NotFound,
            QStringLiteral("The database %1 has no campaign %2.").arg(database.path(), QString::number(id)),
            QStringLiteral("`quantscope list` shows the campaigns there are.")};
}

Expected<Campaign> fromRow(const QSqlQuery& row, const QString& path) {
    Campaign campaign;
    campaign.id = row.value(0).toLongLong();
    auto spec = specFromText(row.value(1).toString().toUtf8());
    if (!spec)
        return makeError(ErrorKind::Corrupt,
                         QStringLiteral("Campaign %1 of the database %2 cannot be read. %3")
                             .arg(campaign.id)
                             .arg(path, spec.error().message),
                         QStringLiteral("Delete that campaign, or choose another file with --db."));
    campaign.spec = *spec;
    campaign.spec.name = row.value(2).toString(); // renamed since, perhaps
    campaign.status = statusFromWord(row.value(3).toString()).value_or(RunStatus::Failed);
    campaign.createdAt = timeFromText(row.value(4).toString());
    campaign.problemsHash = row.value(5).toString();
    campaign.modelHash = row.value(6).toString();
    campaign.quantscopeVersion = row.value(7).toString();
    campaign.workerVersion = row.value(8).toString();
    campaign.protocolId = row.value(9).toString();
    campaign.deviceName = row.value(10).toString();
    campaign.deviceDetail = row.value(11).toString();
    campaign.hostDetail = row.value(12).toString();
    return campaign;
}

/// The row of `values` in a table with a unique key: inserted when new. NULL while nothing is known.
Expected<QVariant> environmentId(Database& database, const Campaign& campaign) {
    const QVariantList values{campaign.quantscopeVersion, campaign.workerVersion, campaign.protocolId,
                              campaign.deviceName,        campaign.deviceDetail,  campaign.hostDetail};
    auto inserted = database.execute(
        QStringLiteral(
            "INSERT INTO environment (quantscope_version, worker_version, protocol_id, device_name, "
            "device_detail, host_detail) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"),
        values, kProvenance);
    if (!inserted)
        return tl::unexpected(inserted.error());
    return database.scalar(
        QStringLiteral("SELECT id FROM environment WHERE quantscope_version = ? AND worker_version = ? AND "
                       "protocol_id = ? AND device_name = ? AND device_detail = ? AND host_detail = ?"),
        values, kProvenance);
}

Expected<QVariant> modelId(Database& database, const Campaign& campaign) {
    if (campaign.modelHash.isEmpty())
        return QVariant();
    auto inserted = database.execute(
        QStringLiteral("INSERT INTO model (hash, location) VALUES (?, ?) ON CONFLICT DO NOTHING"),
        {campaign.modelHash, campaign.spec.model}, kProvenance);
    if (!inserted)
        return tl::unexpected(inserted.error());
    return database.scalar(QStringLiteral("SELECT id FROM model WHERE hash = ?"), {campaign.modelHash},
                           kProvenance);
}

Expected<> insertRuns(Database& database, const Campaign& campaign, const QMap<QString, QString>& labels) {
    for (const QString& scheme : campaign.spec.schemes)
        for (const int batchSize : campaign.spec.batchSizes)
            if (auto done = database.execute(QStringLiteral("INSERT INTO run (campaign_id, scheme_id, "
                                                            "scheme_label, batch_size) VALUES (?, ?, ?, ?)"),
                                             {campaign.id, scheme, labels.value(scheme, scheme), batchSize},
                                             kCreating);
                !done)
                return tl::unexpected(done.error());
    return {};
}

} // namespace

Expected<Campaign> CampaignRepository::create(const CampaignSpec& spec,
                                              const QMap<QString, QString>& schemeLabels) {
    if (auto checked = checkSpec(spec); !checked)
        return tl::unexpected(checked.error());
    auto transaction = Transaction::begin(database_, kCreating);
    if (!transaction)
        return tl::unexpected(transaction.error());
    Campaign campaign;
    campaign.spec = spec;
    campaign.createdAt = QDateTime::currentDateTimeUtc();
    const auto inserted = database_.execute(
        QStringLiteral("INSERT INTO campaign (name, spec, status, created_at) VALUES (?, ?, ?, ?)"),
        {spec.name, QString::fromUtf8(specToText(spec)), word(campaign.status), timeText(campaign.createdAt)},
        kCreating);
    if (!inserted)
        return tl::unexpected(inserted.error());
    campaign.id = inserted->lastInsertId().toLongLong();
    auto stored =
        insertRuns(database_, campaign, schemeLabels).and_then([&] { return transaction->commit(); });
    return stored.map([&] { return campaign; });
}

Expected<QList<Campaign>> CampaignRepository::select(const QString& where, const QVariantList& values) {
    auto rows = database_.execute(
        QStringLiteral(
            "SELECT c.id, c.spec, c.name, c.status, c.created_at, c.problems_hash, m.hash, "
            "e.quantscope_version, e.worker_version, e.protocol_id, e.device_name, e.device_detail, "
            "e.host_detail FROM campaign c LEFT JOIN environment e ON e.id = c.environment_id "
            "LEFT JOIN model m ON m.id = c.model_id %1 ORDER BY c.created_at DESC, c.id DESC")
            .arg(where),
        values, QStringLiteral("reading campaigns"));
    if (!rows)
        return tl::unexpected(rows.error());
    QList<Campaign> campaigns;
    while (rows->next()) {
        auto campaign = fromRow(*rows, database_.path());
        if (!campaign)
            return tl::unexpected(campaign.error());
        campaigns << *campaign;
    }
    return database_.finished(*rows, QStringLiteral("reading campaigns")).map([&] { return campaigns; });
}

Expected<QList<Campaign>> CampaignRepository::list() {
    return select({}, {});
}

Expected<Campaign> CampaignRepository::load(Id id) {
    return select(QStringLiteral("WHERE c.id = ?"), {id})
        .and_then([&](const QList<Campaign>& found) -> Expected<Campaign> {
            if (found.isEmpty())
                return tl::unexpected(noCampaign(database_, id));
            return found.first();
        });
}

Expected<> CampaignRepository::updateOne(const QString& sql, const QVariantList& values, Id id,
                                         const QString& doing) {
    return database_.execute(sql, values, doing).and_then([&](const QSqlQuery& query) -> Expected<> {
        if (query.numRowsAffected() == 0)
            return tl::unexpected(noCampaign(database_, id));
        return {};
    });
}

Expected<> CampaignRepository::setStatus(Id id, RunStatus status) {
    return updateOne(QStringLiteral("UPDATE campaign SET status = ? WHERE id = ?"), {word(status), id}, id,
                     QStringLiteral("storing a campaign's status"));
}

Expected<> CampaignRepository::rename(Id id, const QString& name) {
    return updateOne(QStringLiteral("UPDATE campaign SET name = ? WHERE id = ?"), {name, id}, id,
                     QStringLiteral("renaming a campaign"));
}

Expected<> CampaignRepository::remove(Id id) {
    return updateOne(QStringLiteral("DELETE FROM campaign WHERE id = ?"), {id}, id,
                     QStringLiteral("deleting a campaign"));
}

Expected<> CampaignRepository::setProvenance(const Campaign& campaign) {
    auto transaction = Transaction::begin(database_, kProvenance);
    if (!transaction)
        return tl::unexpected(transaction.error());
    const auto environment = environmentId(database_, campaign);
    if (!environment)
        return tl::unexpected(environment.error());
    const auto model = modelId(database_, campaign);
    if (!model)
        return tl::unexpected(model.error());
    return updateOne(
               QStringLiteral(
                   "UPDATE campaign SET environment_id = ?, model_id = ?, problems_hash = ? WHERE id = ?"),
               {*environment, *model, campaign.problemsHash, campaign.id}, campaign.id, kProvenance)
        .and_then([&] { return transaction->commit(); });
}

Expected<> CampaignRepository::markInterrupted(Id id) {
    const QString doing = QStringLiteral("marking an interrupted campaign");
    auto transaction = Transaction::begin(database_, doing);
    if (!transaction)
        return tl::unexpected(transaction.error());
    for (const QString& sql : {
             QStringLiteral("UPDATE campaign SET status = 'partial' WHERE id = ? AND status = 'running'"),
             QStringLiteral(
                 "UPDATE run SET eval_status = 'partial' WHERE campaign_id = ? AND eval_status = 'running'"),
             QStringLiteral("UPDATE run SET latency_status = 'partial' WHERE campaign_id = ? AND "
                            "latency_status = 'running'"),
         })
        if (auto done = database_.execute(sql, {id}, doing); !done)
            return tl::unexpected(done.error());
    return transaction->commit();
}

} // namespace quantscope::storage
