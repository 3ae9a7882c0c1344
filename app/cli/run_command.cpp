// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/campaign_controller.h"
#include "app/campaign/errors.h"
#include "app/campaign/planner.h"
#include "app/cli/artifacts.h"
#include "app/cli/commands.h"
#include "app/cli/demo_files.h"
#include "app/cli/interrupt_watcher.h"
#include "app/cli/output.h"
#include "app/cli/progress_printer.h"
#include "app/cli/stored_campaign.h"
#include "app/cli/summary_json.h"
#include "app/cli/summary_table.h"
#include "engine/eval/problems.h"

#include <QEventLoop>
#include <QFileInfo>
#include <QJsonArray>

#include <unistd.h>

namespace quantscope::cli {
namespace {

using campaign::CampaignOutcome;

/// What can be known to be wrong before a worker is started; paths become absolute, because a resume may come
/// from another folder. Behind a launcher the paths are the other host's.
Expected<> prepareSpec(storage::CampaignSpec& spec) {
    const QString demo = QStringLiteral("demo");
    if (!spec.launcher.isEmpty()) {
        return {};
    }
    if (auto model = checkModelFolder(spec.model); !model) {
        return model;
    }
    if (spec.model != demo) {
        spec.model = QFileInfo(spec.model).absoluteFilePath();
    }
    if (!spec.evalEnabled) {
        return {};
    }
    if (!spec.python.isEmpty()) {
        const auto python = interpreterFile(spec.python);
        if (!python) {
            return tl::unexpected(python.error());
        }
        spec.python = *python;
    }
    const auto file = problemFile(spec.problems);
    if (!file) {
        return tl::unexpected(file.error());
    }
    if (const auto problems = eval::read_problems(file->toStdString()); !problems) {
        return tl::unexpected(problems.error());
    }
    if (spec.problems != demo) {
        spec.problems = QFileInfo(spec.problems).absoluteFilePath();
    }
    return {};
}

CampaignOutcome runToEnd(storage::Writer& writer, const RunOptions& options) {
    campaign::CampaignController controller(writer);
    if (options.helloLimitSeconds) {
        campaign::WorkerPatience patience;
        patience.helloMs = patience.remoteHelloMs = *options.helloLimitSeconds * 1000;
        controller.setPatience(patience);
    }
    ProgressPrinter printer(controller, isatty(STDERR_FILENO) != 0);
    InterruptWatcher interrupts;
    QEventLoop loop;
    CampaignOutcome outcome;
    QObject::connect(&interrupts, &InterruptWatcher::interrupted, &controller, [&] { controller.cancel(); });
    QObject::connect(&controller, &campaign::CampaignController::finished, &loop,
                     [&](const CampaignOutcome& result) {
                         outcome = result;
                         loop.quit();
                     });
    // The loop must run before anything can finish.
    QMetaObject::invokeMethod(
        &controller,
        [&] { options.resumeId != 0 ? controller.resume(options.resumeId) : controller.start(options.spec); },
        Qt::QueuedConnection);
    loop.exec();
    printer.finish();
    return outcome;
}

int exitCodeOf(const CampaignOutcome& outcome, const storage::CampaignSpec& spec) {
    if (outcome.status == storage::RunStatus::Cancelled) {
        return exit_code(ErrorCode::cancelled);
    }
    if (outcome.error) {
        return exit_code(outcome.error->code);
    }
    if (outcome.status != storage::RunStatus::Done) {
        return 1;
    }
    return spec.evalEnabled && outcome.samplesScored == 0 ? exit_code(ErrorCode::sandbox_unavailable) : 0;
}

/// The result as text or JSON, and the files of --out-dir. Returns the exit code.
int present(const RunOptions& options, const CampaignOutcome& outcome) {
    auto reader = openDatabase(options.database);
    const auto data = reader ? loadCampaign(**reader, outcome.campaignId) : tl::unexpected(reader.error());
    if (!data) {
        return fail(data.error(), options.json);
    }
    const storage::CampaignSummary summary = analysis::summarize(*data);
    int code = exitCodeOf(outcome, summary.campaign.spec);
    QStringList files;
    if (!options.outDir.isEmpty()) {
        const auto written = writeAll(**reader, summary, options.outDir);
        if (!written) {
            printNote(QStringLiteral("quantscope: ") + campaign::errorText(written.error()));
            code = code == 0 ? exit_code(written.error().code) : code;
        } else {
            files = *written;
        }
    }
    if (options.json) {
        QJsonObject document = summaryJson(summary);
        document.insert(QStringLiteral("exit_code"), code);
        document.insert(QStringLiteral("database"), options.database);
        document.insert(QStringLiteral("files"), QJsonArray::fromStringList(files));
        printJson(document);
        return code;
    }
    print(QLatin1Char('\n') + campaignLines(summary.campaign) + QLatin1Char('\n') +
          runTable(summary).toText() + QLatin1Char('\n') + summary.headline + QLatin1Char('\n'));
    if (!files.isEmpty()) {
        print(QStringLiteral("\n%1 files written to %2, report.html among them.\n")
                  .arg(QString::number(files.size()), options.outDir));
    }
    return code;
}

} // namespace

int runCampaign(const RunOptions& asked) {
    RunOptions options = asked;
    if (options.resumeId == 0) {
        if (const auto prepared = prepareSpec(options.spec); !prepared) {
            return fail(prepared.error(), options.json);
        }
        if (options.spec.name.isEmpty()) {
            options.spec.name = campaign::defaultCampaignName(options.spec);
        }
    } else if (!QFileInfo::exists(options.database)) {
        return fail(openDatabase(options.database).error(), options.json);
    }
    if (const auto made = makeFolder(QFileInfo(options.database).absolutePath()); !made) {
        return fail(made.error(), options.json);
    }
    auto writer = campaign::appExpected(storage::Writer::open(options.database));
    if (!writer) {
        return fail(writer.error(), options.json);
    }
    const CampaignOutcome outcome = runToEnd(**writer, options);
    (*writer)->stop();
    if (outcome.campaignId == 0) {
        return fail(
            outcome.error.value_or(Error{ErrorCode::internal, "The campaign ended without a reason.", {}}),
            options.json);
    }
    if (outcome.error) {
        printNote(QStringLiteral("quantscope: ") + campaign::errorText(*outcome.error));
    }
    if (outcome.status != storage::RunStatus::Done) {
        printNote(QStringLiteral("Go on with: quantscope run --resume %1 --db %2")
                      .arg(QString::number(outcome.campaignId), options.database));
    }
    return present(options, outcome);
}

} // namespace quantscope::cli
