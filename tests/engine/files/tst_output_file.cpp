// SPDX-License-Identifier: Apache-2.0
#include "engine/files/input_file.h"
#include "engine/files/output_file.h"
#include "tests/support/file_size_limit.h"

#include <QtTest>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace quantscope;

namespace {

std::string content(const std::filesystem::path& file) {
    std::ifstream in(file);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

void put(const std::filesystem::path& file, const std::string& text) {
    std::ofstream(file) << text;
}

mode_t mode_of(const std::filesystem::path& file) {
    struct stat status = {};
    return ::lstat(file.c_str(), &status) == 0 ? status.st_mode : 0;
}

} // namespace

class TestOutputFile : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() { dir_ = std::make_unique<QTemporaryDir>(); }
    void appearsOnlyWhenComplete();
    void withoutCommitNothingChanges();
    void followsLinks();
    void keepsPermissions();
    void streamsIntoAPipe();
    void saysThatNobodyReads();
    void writesIntoDevices();
    void refusesWhatIsNoFile();
    void refusesMissingFolders();
    void fullDiskLeavesTheOldFile();
    void aKilledWriterLeavesNothing();
    void writesIntoStandardOutput();

  private:
    [[nodiscard]] std::filesystem::path path(const char* name) const {
        return std::filesystem::path(dir_->path().toStdString()) / name;
    }
    [[nodiscard]] int entries() const {
        return static_cast<int>(
            QDir(dir_->path())
                .entryList(QDir::AllEntries | QDir::Hidden | QDir::System | QDir::NoDotAndDotDot)
                .size());
    }
    std::unique_ptr<QTemporaryDir> dir_;
};

void TestOutputFile::appearsOnlyWhenComplete() {
    auto file = OutputFile::create(path("new"));
    QVERIFY(file);
    QVERIFY(!file->is_stream());
    QVERIFY(file->write("one "));
    QVERIFY(file->write(std::string(1 << 20, 'x')));
    QVERIFY(!std::filesystem::exists(path("new")));
    QVERIFY(file->commit());
    QCOMPARE(content(path("new")), "one " + std::string(1 << 20, 'x'));
    QCOMPARE(entries(), 1);
    QCOMPARE(mode_of(path("new")) & 0111, mode_t{0});
}

void TestOutputFile::withoutCommitNothingChanges() {
    put(path("old"), "old");
    {
        auto file = OutputFile::create(path("old"));
        QVERIFY(file);
        QVERIFY(file->write(std::string(1 << 20, 'x')));
    }
    QCOMPARE(content(path("old")), std::string("old"));
    QCOMPARE(entries(), 1);
}

void TestOutputFile::followsLinks() {
    put(path("target"), "old");
    std::filesystem::create_symlink("target", path("link"));
    QVERIFY(write_file(path("link"), "new"));
    QVERIFY(S_ISLNK(mode_of(path("link"))));
    QCOMPARE(content(path("target")), std::string("new"));
    std::filesystem::create_symlink("later", path("dangling"));
    QVERIFY(write_file(path("dangling"), "new"));
    QVERIFY(S_ISLNK(mode_of(path("dangling"))));
    QCOMPARE(content(path("later")), std::string("new"));
}

void TestOutputFile::keepsPermissions() {
    put(path("private"), "old");
    QCOMPARE(::chmod(path("private").c_str(), 0600), 0);
    QVERIFY(write_file(path("private"), "new"));
    QCOMPARE(mode_of(path("private")) & 0777, mode_t{0600});
}

void TestOutputFile::streamsIntoAPipe() {
    QCOMPARE(::mkfifo(path("pipe").c_str(), 0600), 0);
    std::string read;
    std::thread reader([&] { read = content(path("pipe")); });
    const auto written = write_file(path("pipe"), std::string(200000, 'x') + "end");
    reader.join();
    QVERIFY2(written, written ? "" : written.error().message.c_str());
    QCOMPARE(read.size(), std::size_t{200003});
    QVERIFY(S_ISFIFO(mode_of(path("pipe"))));
    QCOMPARE(entries(), 1);
    // A reader that goes away is an error, not the end of the program.
    std::thread quitter([&] { ::close(::open(path("pipe").c_str(), O_RDONLY)); });
    Expected<> broken;
    if (auto file = OutputFile::create(path("pipe"))) {
        quitter.join();
        for (int i = 0; i < 100 && broken; ++i)
            broken = file->write(std::string(100000, 'x'));
    } else {
        quitter.join();
    }
    QVERIFY(!broken);
    QVERIFY2(broken.error().message.find("Broken pipe") != std::string::npos, broken.error().message.c_str());
}

void TestOutputFile::saysThatNobodyReads() {
    QCOMPARE(::mkfifo(path("pipe").c_str(), 0600), 0);
    const auto file = OutputFile::create(path("pipe"));
    QVERIFY(!file);
    QCOMPARE(file.error().message,
             path("pipe").string() + ": cannot be written: nobody has opened this pipe for reading in 5 s.");
}

void TestOutputFile::writesIntoDevices() {
    QVERIFY(write_file("/dev/null", "gone"));
    QVERIFY(S_ISCHR(mode_of("/dev/null")));
    if (!std::filesystem::exists("/dev/full"))
        QSKIP("there is no /dev/full here");
    const auto full = write_file("/dev/full", "too much");
    QVERIFY(!full);
    QCOMPARE(full.error().code, ErrorCode::io);
    QVERIFY2(full.error().message.starts_with("/dev/full: writing failed: No space left on device"),
             full.error().message.c_str());
    QVERIFY(S_ISCHR(mode_of("/dev/full")));
    std::filesystem::create_symlink("/dev/full", path("link")); // the link's target is judged
    QVERIFY(!write_file(path("link"), "too much"));
    QVERIFY(S_ISLNK(mode_of(path("link"))));
}

void TestOutputFile::refusesWhatIsNoFile() {
    const auto folder = OutputFile::create(dir_->path().toStdString());
    QVERIFY(!folder);
    QCOMPARE(folder.error().code, ErrorCode::bad_input);
    QVERIFY(folder.error().message.find("expected a file or a new name, found a folder") !=
            std::string::npos);

    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path("socket").string().copy(name.sun_path, sizeof name.sun_path - 1);
    const int descriptor = ::socket(AF_UNIX, SOCK_STREAM, 0);
    QCOMPARE(::bind(descriptor, reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
    const auto socket = OutputFile::create(path("socket"));
    ::close(descriptor);
    QVERIFY(!socket);
    QVERIFY(socket.error().message.find("found a socket") != std::string::npos);
    QVERIFY(S_ISSOCK(mode_of(path("socket"))));
    QVERIFY(!OutputFile::create(""));
}

void TestOutputFile::refusesMissingFolders() {
    const auto file = OutputFile::create("/nowhere/at/all");
    QVERIFY(!file);
    QCOMPARE(file.error().code, ErrorCode::io);
    QCOMPARE(file.error().message,
             std::string("/nowhere/at/all: cannot be written: No such file or directory."));
}

void TestOutputFile::fullDiskLeavesTheOldFile() {
    put(path("results"), "old");
    Expected<> written;
    {
        const test::FileSizeLimit limit(100000); // refuses writes in the same place as a full disk does
        written = write_file(path("results"), std::string(200000, 'x'));
        QVERIFY(write_file(path("small"), "fits"));
    }
    QVERIFY(!written);
    QCOMPARE(written.error().code, ErrorCode::io);
    QCOMPARE(written.error().message,
             path("results").string() +
                 ": writing failed: File too large; what was there before is unchanged, "
                 "and nothing was left behind.");
    QCOMPARE(content(path("results")), std::string("old"));
    QCOMPARE(entries(), 2);
}

void TestOutputFile::aKilledWriterLeavesNothing() {
    put(path("results"), "old");
    const pid_t child = ::fork();
    if (child == 0) {
        auto file = OutputFile::create(path("results"));
        static_cast<void>(file->write(std::string(1 << 20, 'x')));
        ::signal(SIGHUP, SIG_DFL); // QtTest has a handler of its own
        ::raise(SIGHUP);
        ::_exit(0);
    }
    int status = 0;
    QCOMPARE(::waitpid(child, &status, 0), child);
    QVERIFY(WIFSIGNALED(status));
    QCOMPARE(content(path("results")), std::string("old"));
    const int probe = ::open(dir_->path().toUtf8().constData(), O_TMPFILE | O_WRONLY, 0600);
    if (probe < 0)
        QSKIP("this file system has no unnamed files");
    ::close(probe);
    QCOMPARE(entries(), 1);
}

void TestOutputFile::writesIntoStandardOutput() {
    // The shell's `> file` is written into, behind what is there, and not replaced.
    const int original = ::dup(STDOUT_FILENO);
    const int log = ::open(path("log").c_str(), O_WRONLY | O_CREAT, 0600);
    ::dup2(log, STDOUT_FILENO);
    QCOMPARE(::write(STDOUT_FILENO, "before ", 7), ssize_t{7});
    const auto dash = write_file("-", "dash ");
    const auto device = write_file("/dev/stdout", "device");
    ::dup2(original, STDOUT_FILENO);
    ::close(original);
    ::close(log);
    QVERIFY2(dash && device, dash ? "" : dash.error().message.c_str());
    QCOMPARE(content(path("log")), std::string("before dash device"));
    QVERIFY(is_standard_output("-") && is_standard_output("/dev/fd/1") && !is_standard_output("x"));
}

QTEST_APPLESS_MAIN(TestOutputFile)
#include "tst_output_file.moc"
