// SPDX-License-Identifier: Apache-2.0
//
// storage_child insert FILE RUN COUNT   inserts samples 0..COUNT-1 that are not there yet, prints each when
// committed storage_child hold FILE               takes the write lock, prints "held", waits for the end of
// stdin storage_child fill FILE BALLAST       inserts until the disk is full, prints what it was told;
// removes the file
//                                       BALLAST, then prints what a second try and a look at the file say
#include "storage/export.h"
#include "storage/reader.h"
#include "storage/writer.h"

#include <QCoreApplication>
#include <QFile>
#include <QTextStream>
#include <cstdio>

using namespace quantscope::storage;

namespace {

int fail(const Error& error) {
    std::fprintf(stderr, "%s\n", qPrintable(error.message));
    return 1;
}

void say(const QString& line) {
    std::printf("%s\n", qPrintable(line));
    std::fflush(stdout);
}

Sample numbered(Id runId, int number, int bytes) {
    Sample sample;
    sample.runId = runId;
    sample.taskId = QStringLiteral("Task/%1").arg(number);
    sample.completion = QString(bytes, QLatin1Char('x'));
    sample.verdict = Verdict::Failed;
    return sample;
}

int insert(const QString& path, Id runId, int count) {
    auto writer = Writer::open(path);
    if (!writer)
        return fail(writer.error());
    QObject::connect(
        writer->get(), &Writer::sampleStored, writer->get(),
        [](const Sample& sample, bool isNew) {
            say((isNew ? QString() : QStringLiteral("again ")) + sample.taskId);
        },
        Qt::DirectConnection);
    const auto keys =
        (*writer)->call([=](Repositories& repositories) { return repositories.samples.keys(runId); });
    if (!keys)
        return fail(keys.error());
    for (int number = 0; number < count; ++number)
        if (!keys->contains({QStringLiteral("Task/%1").arg(number), 0}))
            (*writer)->store(numbered(runId, number, 700));
    (*writer)->stop();
    return 0;
}

int hold(const QString& path, const QString& lockingMode) {
    auto database = Database::open(path);
    if (!database)
        return fail(database.error());
    const auto mode = (*database)->execute(QStringLiteral("PRAGMA locking_mode = ") + lockingMode, {},
                                           QStringLiteral("choosing the locking mode"));
    if (!mode)
        return fail(mode.error());
    auto transaction = Transaction::begin(**database, QStringLiteral("holding it"));
    if (!transaction)
        return fail(transaction.error());
    say(QStringLiteral("held"));
    QTextStream(stdin).readAll();
    return 0;
}

int fill(const QString& path, const QString& ballast) {
    auto database = Database::open(path);
    if (!database)
        return fail(database.error());
    Repositories repositories(**database);
    CampaignSpec spec;
    spec.schemes << QStringLiteral("fp16");
    spec.batchSizes << 1;
    const auto campaign = repositories.campaigns.create(spec);
    if (!campaign)
        return fail(campaign.error());
    const Id runId = repositories.runs.list(campaign->id)->first().id;
    int stored = 0;
    Expected<bool> last = true;
    for (; last && stored < 10000; ++stored)
        last = repositories.samples.insert(numbered(runId, stored, 10000));
    if (last)
        return 2;
    --stored;
    say(QStringLiteral("kind %1").arg(int(last.error().kind)));
    say(QStringLiteral("message %1").arg(last.error().message));
    say(QStringLiteral("hint %1").arg(last.error().hint));
    const auto exported = exportSamples(repositories, runId, path + QStringLiteral(".jsonl"));
    say(QStringLiteral("export %1").arg(exported ? QString() : exported.error().message));
    say(QStringLiteral("half %1").arg(QFile::exists(path + QStringLiteral(".jsonl"))));
    QFile::remove(ballast);
    const auto again = repositories.samples.insert(numbered(runId, stored, 10000));
    say(QStringLiteral("again %1").arg(again ? QStringLiteral("stored") : again.error().message));
    say(QStringLiteral("expected %1").arg(stored + 1));
    database->reset();
    auto reader = Reader::open(path);
    if (!reader)
        return fail(reader.error());
    say(QStringLiteral("found %1").arg((*reader)->repositories.samples.keys(runId)->size()));
    say(QStringLiteral("integrity %1").arg(*(*reader)->database().integrityCheck()));
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    const QCoreApplication app(argc, argv);
    const QStringList words = QCoreApplication::arguments();
    const QString verb = words.value(1);
    if (verb == QLatin1String("insert"))
        return insert(words.value(2), words.value(3).toLongLong(), words.value(4).toInt());
    if (verb == QLatin1String("hold"))
        return hold(words.value(2), QStringLiteral("NORMAL"));
    if (verb == QLatin1String("hold-exclusive")) // readers are locked out, too
        return hold(words.value(2), QStringLiteral("EXCLUSIVE"));
    if (verb == QLatin1String("fill"))
        return fill(words.value(2), words.value(3));
    return 64;
}
