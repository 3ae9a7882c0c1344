// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/campaign/campaign_controller.h"
#include "storage/reader.h"

#include <QDir>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

/// A controller on a database of its own, and what its tests ask of the database.
class CampaignFixture {
  public:
    using Outcome = quantscope::campaign::CampaignOutcome;
    using Controller = quantscope::campaign::CampaignController;

    CampaignFixture() {
        auto opened = quantscope::storage::Writer::open(database());
        Q_ASSERT(opened);
        writer = *std::move(opened);
        controller = std::make_unique<Controller>(*writer);
        QObject::connect(controller.get(), &Controller::notice,
                         [this](const QString& text) { notices << text; });
        QObject::connect(controller.get(), &Controller::progressed,
                         [this](const quantscope::storage::Progress& shown) { progress = shown; });
    }

    [[nodiscard]] QString database() const { return folder.filePath(QStringLiteral("test.db")); }

    Outcome start(const quantscope::storage::CampaignSpec& spec) {
        return wait([&] { controller->start(spec); });
    }
    Outcome resume(quantscope::storage::Id id) {
        return wait([&] { controller->resume(id); });
    }

    /// Runs `action`, then the event loop until finished() has come.
    template<class Action>
    Outcome wait(Action action) {
        QSignalSpy spy(controller.get(), &Controller::finished);
        action();
        if (spy.isEmpty() && !spy.wait(60'000)) {
            return {};
        }
        return spy.first().first().value<Outcome>();
    }

    /// "SCHEME/BATCH TASK INDEX VERDICT COMPLETION" of every stored sample, sorted.
    [[nodiscard]] QStringList samples() const { return samplesOf(database()); }

    static QStringList samplesOf(const QString& database) {
        QStringList lines;
        const auto reader = quantscope::storage::Reader::open(database);
        const auto campaigns = (*reader)->repositories.campaigns.list();
        for (const auto& campaign : *campaigns) {
            const auto runs = (*reader)->repositories.runs.list(campaign.id);
            for (const auto& run : *runs) {
                const auto samples = (*reader)->repositories.samples.list(run.id);
                for (const auto& sample : *samples) {
                    lines << QStringLiteral("%1/%2 %3 %4 %5 %6")
                                 .arg(run.schemeId)
                                 .arg(run.batchSize)
                                 .arg(sample.taskId)
                                 .arg(sample.sampleIndex)
                                 .arg(static_cast<int>(sample.verdict))
                                 .arg(sample.completion);
                }
            }
        }
        lines.sort();
        return lines;
    }

    [[nodiscard]] QList<quantscope::storage::Run> runs(quantscope::storage::Id campaignId) const {
        const auto reader = quantscope::storage::Reader::open(database());
        return (*reader)->repositories.runs.list(campaignId).value_or(QList<quantscope::storage::Run>());
    }
    [[nodiscard]] quantscope::storage::Campaign campaign(quantscope::storage::Id campaignId) const {
        const auto reader = quantscope::storage::Reader::open(database());
        return (*reader)->repositories.campaigns.load(campaignId).value_or(quantscope::storage::Campaign());
    }

    QTemporaryDir folder;
    std::unique_ptr<quantscope::storage::Writer> writer;
    std::unique_ptr<Controller> controller;
    QStringList notices;
    quantscope::storage::Progress progress; ///< shown last
};

/// fp16 and int8 at batch size 1 on the demo.
inline quantscope::storage::CampaignSpec demoSpec() {
    quantscope::storage::CampaignSpec spec;
    spec.name = QStringLiteral("test");
    spec.model = QStringLiteral("demo");
    spec.problems = QStringLiteral("demo");
    spec.schemes = {QStringLiteral("fp16"), QStringLiteral("int8")};
    spec.batchSizes = {1};
    return spec;
}
