// SPDX-License-Identifier: Apache-2.0
#include "storage/resume_identity.h"

namespace quantscope::storage {
namespace {

struct Field {
    QString what;
    const QString& stored;
    const QString& found;
};

} // namespace

ResumeIdentity identityOf(const Campaign& campaign) {
    return {campaign.modelHash,  campaign.spec.schemes,  campaign.problemsHash,
            campaign.protocolId, campaign.workerVersion, campaign.deviceName};
}

QStringList differences(const ResumeIdentity& stored, const ResumeIdentity& found) {
    const Field fields[] = {
        {QStringLiteral("The model differs: its hash was"), stored.modelHash, found.modelHash},
        {QStringLiteral("The problem set differs: its hash was"), stored.problemsHash, found.problemsHash},
        {QStringLiteral("The protocol differs: it was"), stored.protocolId, found.protocolId},
        {QStringLiteral("The engine differs: its version was"), stored.engineVersion, found.engineVersion},
        {QStringLiteral("The device differs: it was"), stored.deviceName, found.deviceName},
    };
    QStringList sentences;
    for (const Field& field : fields)
        if (!field.stored.isEmpty() && !field.found.isEmpty() && field.stored != field.found)
            sentences << QStringLiteral("%1 %2, now it is %3.").arg(field.what, field.stored, field.found);
    QStringList before = stored.schemes;
    QStringList now = found.schemes;
    before.sort();
    now.sort();
    if (!before.isEmpty() && !now.isEmpty() && before != now)
        sentences << QStringLiteral("The schemes differ: they were %1, now they are %2.")
                         .arg(before.join(QLatin1String(", ")), now.join(QLatin1String(", ")));
    return sentences;
}

Expected<> checkResume(const Campaign& campaign, const ResumeIdentity& found) {
    const QStringList sentences = differences(identityOf(campaign), found);
    if (sentences.isEmpty())
        return {};
    return makeError(
        ErrorKind::BadInput,
        QStringLiteral("Campaign %1 (%2) cannot be resumed. %3")
            .arg(QString::number(campaign.id), campaign.spec.name, sentences.join(QLatin1Char(' '))),
        QStringLiteral("Start a new campaign, or bring back what has changed."));
}

} // namespace quantscope::storage
