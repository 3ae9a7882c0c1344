// SPDX-License-Identifier: Apache-2.0
#include "engine/model/safetensors.h"
#include "engine/model/safetensors_index.h"
#include "model_files.h"

#include <fmt/format.h>
#include <sys/stat.h>

using namespace quantscope;
using namespace quantscope::test;

namespace {

/// One entry of a header, as text: broken ones cannot be made with a JSON library.
std::string entry(const char* name, const char* dtype, const char* shape, const char* offsets) {
    return fmt::format("\"{}\":{{\"dtype\":\"{}\",\"shape\":{},\"data_offsets\":{}}}", name, dtype, shape,
                       offsets);
}

std::string nested(std::size_t depth) {
    return R"({"a":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
}

} // namespace

class TestSafetensors : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void reads_a_file() {
        const ScratchFolder folder;
        const std::string header =
            R"({"__metadata__":{"format":"pt"},)" + entry("b", "F32", "[2,1]", "[4,12]") + "," +
            entry("a", "BF16", "[2]", "[0,4]") + "," + entry("ids", "I64", "[]", "[12,20]") + "," +
            entry("none", "F16", "[0,7]", "[12,12]") + "}   ";
        write_file(folder / "x.safetensors", safetensors_bytes(header, "abcdefghijklmnopqrst"));
        const auto file = SafetensorsFile::open(folder / "x.safetensors");
        QVERIFY2(file, told(file).c_str());
        QCOMPARE(file->tensors().size(), std::size_t{4});
        const SafetensorsEntry& b = file->tensors().at("b");
        QVERIFY(b.float_dtype() == DType::f32);
        QCOMPARE(b.shape, (std::vector<std::int64_t>{2, 1}));
        QCOMPARE(std::string(reinterpret_cast<const char*>(b.data.data()), b.data.size()),
                 std::string("efghijkl"));
        QVERIFY(!file->tensors().at("ids").float_dtype());
        QCOMPARE(file->tensors().at("none").data.size(), std::size_t{0});
        QCOMPARE(file->header_size(), 8 + header.size());
    }

    void corrupt_header_data() {
        QTest::addColumn<QString>("header");
        QTest::addColumn<int>("data_bytes");
        QTest::addColumn<QString>("sentence");
        const auto row = [](const char* name, const std::string& header, int bytes, const char* sentence) {
            QTest::newRow(name) << QString::fromStdString(header) << bytes << sentence;
        };
        const std::string a = entry("a", "F32", "[2]", "[0,8]");
        row("broken JSON", "{\"a\":\n {,", 0,
            "header: expected JSON, but it is not valid JSON (line 2, column 3)");
        row("no JSON", "", 0, "header: expected JSON, but it is not valid JSON");
        row("a list", "[1,2]", 0, "header: expected a JSON object, found a list of 2 values");
        row("trailing text", "{" + a + "}}", 8, "it is not valid JSON (column");
        row("duplicate name", "{" + a + "," + entry("a", "F32", "[2]", "[8,16]") + "}", 16,
            "the key \"a\" is there twice");
        row("duplicate key", R"({"a":{"dtype":"F32","dtype":"F16","shape":[2],"data_offsets":[0,8]}})", 8,
            "the key \"dtype\" is there twice");
        row("nested", nested(100'000), 0, "it is nested deeper than 8 levels");
        row("number out of range", R"({"a":1e999})", 0, "a number is out of range");
        row("entry no object", R"({"a":7})", 0,
            "tensor \"a\": entry: expected an object with dtype, shape and data_offsets, found 7");
        row("unknown dtype", "{" + entry("a", "float32", "[2]", "[0,8]") + "}", 8,
            R"(tensor "a": dtype: expected a safetensors dtype such as "F32", "F16" or "BF16", found "float32")");
        row("no dtype", R"({"a":{"shape":[2],"data_offsets":[0,8]}})", 8,
            "dtype such as \"F32\", \"F16\" or \"BF16\", found nothing");
        row("dtype no string", R"({"a":{"dtype":3,"shape":[2],"data_offsets":[0,8]}})", 8,
            "\"BF16\", found 3");
        row("no shape", R"({"a":{"dtype":"F32","data_offsets":[0,8]}})", 8,
            "tensor \"a\": shape: expected a list of up to 16 sizes, found nothing");
        row("negative size", "{" + entry("a", "F32", "[-2]", "[0,8]") + "}", 8,
            "shape: expected a list of up to 16 sizes, found [-2]");
        row("fractional size", "{" + entry("a", "F32", "[2.0]", "[0,8]") + "}", 8,
            "up to 16 sizes, found [2.0]");
        row("rank", "{" + entry("a", "F32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2]", "[0,8]") + "}", 8,
            "up to 16 sizes, found a list of 17 values");
        row("no offsets", R"({"a":{"dtype":"F32","shape":[2]}})", 8,
            "tensor \"a\": data_offsets: expected [begin, end] with begin <= end, found nothing");
        row("one offset", "{" + entry("a", "F32", "[2]", "[0]") + "}", 8, "begin <= end, found [0]");
        row("reversed", "{" + entry("a", "F32", "[2]", "[8,0]") + "}", 8, "begin <= end, found [8,0]");
        row("negative offset", "{" + entry("a", "F32", "[2]", "[-8,0]") + "}", 8,
            "begin <= end, found [-8,0]");
        row("huge offset", "{" + entry("a", "F32", "[2]", "[0,99999999999999999999]") + "}", 8,
            "begin <= end, found [0,");
        row("out of file", "{" + entry("a", "F32", "[2]", "[0,8]") + "}", 7,
            "tensor \"a\": data_offsets: expected at most 7 (the bytes of data in the file), found [0,8]");
        row("far out of file",
            "{" + entry("a", "F32", "[2]", "[18446744073709551608,18446744073709551615]") + "}", 8,
            "expected at most 8");
        row("size", "{" + entry("a", "F32", "[3]", "[0,8]") + "}", 8,
            "tensor \"a\": size: expected 12 bytes for F32 of shape [3], found 8 bytes (data_offsets [0, "
            "8])");
        row("size of a scalar", "{" + entry("a", "F64", "[]", "[0,4]") + "}", 4,
            "expected 8 bytes for F64 of shape []");
        row("half a byte", "{" + entry("a", "F4", "[3]", "[0,2]") + "}", 2,
            "expected a shape that fits into memory");
        row("product overflows", "{" + entry("a", "F32", "[4294967296,4294967296]", "[0,0]") + "}", 0,
            "size: expected a shape that fits into memory for F32, found [4294967296, 4294967296]");
        row("bytes overflow", "{" + entry("a", "F64", "[2305843009213693952]", "[0,0]") + "}", 0,
            "expected a shape that fits into memory for F64");
        row("overlap", "{" + a + "," + entry("b", "F32", "[2]", "[4,12]") + "}", 12,
            R"(tensors "a" and "b" overlap: expected data from byte 8 on, found 4)");
        row("same data", "{" + a + "," + entry("b", "F32", "[2]", "[0,8]") + "}", 8,
            R"(tensors "a" and "b" overlap: expected data from byte 8 on, found 0)");
        row("hole", "{" + a + "," + entry("b", "F32", "[2]", "[12,20]") + "}", 20,
            "tensor \"b\": expected its data at byte 8, right after the one before, found 12");
        row("hole in front", "{" + entry("b", "F32", "[2]", "[4,12]") + "}", 12,
            "tensor \"b\": expected its data at byte 0");
        row("trailing data", "{" + a + "}", 9, "expected 8 bytes of data, as the header says, found 9");
        row("data without tensors", "{}", 4, "expected 0 bytes of data, as the header says, found 4");
    }
    void corrupt_header() {
        QFETCH(QString, header);
        QFETCH(int, data_bytes);
        QFETCH(QString, sentence);
        const ScratchFolder folder;
        const fs::path path = folder / "x.safetensors";
        write_file(path, safetensors_bytes(header.toStdString(),
                                           std::string(static_cast<std::size_t>(data_bytes), 'x')));
        const auto file = SafetensorsFile::open(path);
        QUANTSCOPE_REFUSED(file, ErrorCode::bad_input, sentence.toStdString());
        QVERIFY(file.error().message.starts_with(path.string() + ": "));
    }

    /// Of those that are known the size is checked; others that look like a type are not called damage.
    void types_that_weights_cannot_have() {
        const ScratchFolder folder;
        const fs::path path = folder / "x.safetensors";
        const auto open_with = [&](const std::string& entries, std::size_t bytes) {
            write_file(path, safetensors_bytes(fmt::format("{{{}}}", entries), std::string(bytes, 'x')));
            return SafetensorsFile::open(path);
        };
        for (const char* dtype :
             {"F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F8_E8M0", "BOOL", "I8"}) {
            const auto file = open_with(entry("a", dtype, "[8]", "[0,8]"), 8);
            QVERIFY2(file, told(file).c_str());
            QVERIFY(!file->tensors().at("a").float_dtype());
        }
        const auto odd =
            open_with(fmt::format("{},{},{}", entry("a", "C64", "[]", "[0,8]"),
                                  entry("b", "F4", "[4]", "[8,10]"), entry("c", "F6_E2M3", "[4]", "[10,13]")),
                      13);
        QVERIFY2(odd, told(odd).c_str());
        QUANTSCOPE_REFUSED(open_with(entry("a", "F8_E3M4", "[8]", "[0,8]"), 8), ErrorCode::unsupported,
                           "tensor \"a\": dtype \"F8_E3M4\" is not supported; expected F32, F16 or BF16.");
    }

    void invalid_utf8_name() {
        const ScratchFolder folder;
        write_file(folder / "x", safetensors_bytes("{\"\xFF\xFE\":{}}", ""));
        QUANTSCOPE_REFUSED(SafetensorsFile::open(folder / "x"), ErrorCode::bad_input, "it is not valid JSON");
    }

    void header_length_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<QString>("sentence");
        QTest::newRow("empty file") << QByteArray()
                                    << "expected a safetensors file of at least 8 bytes, found 0 bytes";
        QTest::newRow("short file") << QByteArray("\x02\0\0\0\0\0\0", 7) << "at least 8 bytes, found 7 bytes";
        QTest::newRow("absurd")
            << QByteArray("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10)
            << "header length: expected at most 100000000 bytes, found 18446744073709551615";
        QTest::newRow("over 100 MB") << QByteArray("\x01\xe1\xf5\x05\0\0\0\0{}", 10)
                                     << "expected at most 100000000 bytes, found 100000001";
        QTest::newRow("longer than the file")
            << QByteArray("\x03\0\0\0\0\0\0\0{}", 10)
            << "header length: expected at most the 2 bytes that follow, found 3";
        QTest::newRow("a zip archive") << QByteArray("PK\x03\x04\x14\0\0\0\x08\0", 10) << "expected at most";
    }
    void header_length() {
        QFETCH(QByteArray, bytes);
        QFETCH(QString, sentence);
        const ScratchFolder folder;
        write_file(folder / "x", bytes.toStdString());
        QUANTSCOPE_REFUSED(SafetensorsFile::open(folder / "x"), ErrorCode::bad_input, sentence.toStdString());
    }

    void too_many_values() {
        std::string header = R"({"a":[0)";
        for (int i = 0; i < 4'000'000; ++i) {
            header += ",0";
        }
        const ScratchFolder folder;
        write_file(folder / "x", safetensors_bytes(header + "]}", ""));
        QUANTSCOPE_REFUSED(SafetensorsFile::open(folder / "x"), ErrorCode::bad_input,
                           "it has more than 4000000 values");
    }

    void no_regular_file() {
        const ScratchFolder folder;
        QUANTSCOPE_REFUSED(SafetensorsFile::open(folder / "x"), ErrorCode::io,
                           "x: cannot be opened: No such file");
        fs::create_directory(folder / "d");
        QUANTSCOPE_REFUSED(SafetensorsFile::open(folder / "d"), ErrorCode::io,
                           "d: expected a file, found a directory.");
        QCOMPARE(::mkfifo((folder / "p").c_str(), 0600), 0);
        QUANTSCOPE_REFUSED(SafetensorsFile::open(folder / "p"), ErrorCode::io,
                           "expected a file, found a device, pipe or socket.");
    }

    void index_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QString>("sentence");
        const char* const escape = "tensor \"a\": expected the name of a file in the same folder, found ";
        QTest::newRow("broken") << QByteArray(R"({"weight_map": {"a": "x)")
                                << "index.json: expected JSON, but it is not valid JSON (column 24)";
        QTest::newRow("no map")
            << QByteArray(R"({"metadata": {}})")
            << "'weight_map': expected an object of tensor and file names, found nothing.";
        QTest::newRow("map no object")
            << QByteArray(R"({"weight_map": 3})") << "tensor and file names, found 3.";
        QTest::newRow("no string") << QByteArray(R"({"weight_map": {"a": 3}})") << QString(escape) + "3.";
        QTest::newRow("empty") << QByteArray(R"({"weight_map": {"a": ""}})") << QString(escape) + "\"\".";
        QTest::newRow("absolute") << QByteArray(R"({"weight_map": {"a": "/etc/passwd"}})")
                                  << QString(escape) + "\"/etc/passwd\".";
        QTest::newRow("outside") << QByteArray(R"({"weight_map": {"a": "../x.safetensors"}})")
                                 << QString(escape) + "\"../x.safetensors\".";
        QTest::newRow("parent") << QByteArray(R"({"weight_map": {"a": ".."}})")
                                << QString(escape) + "\"..\".";
        QTest::newRow("folder") << QByteArray(R"({"weight_map": {"a": "."}})") << QString(escape) + "\".\".";
        QTest::newRow("NUL") << QByteArray(R"({"weight_map": {"a": "x\u0000y"}})") << escape;
        QTest::newRow("twice") << QByteArray(R"({"weight_map": {"a": "x", "a": "y"}})")
                               << "the key \"a\" is there twice";
    }
    void index() {
        QFETCH(QByteArray, text);
        QFETCH(QString, sentence);
        const ScratchFolder folder;
        write_file(folder / "model.safetensors.index.json", text.toStdString());
        QUANTSCOPE_REFUSED(read_safetensors_index(folder / "model.safetensors.index.json"),
                           ErrorCode::bad_input, sentence.toStdString());
    }
};

QTEST_APPLESS_MAIN(TestSafetensors)
#include "tst_safetensors.moc"
