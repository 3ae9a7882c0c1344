// SPDX-License-Identifier: Apache-2.0
#include "engine/json/json_document.h"
#include "engine/json/json_fields.h"
#include "engine/json/python_json.h"

#include <QtTest>

using namespace quantscope;
using nlohmann::json;

namespace {

constexpr JsonLimits python{64, std::size_t{1} << 26, JsonDialect::python};

std::string complaint(std::string_view text, const JsonLimits& limits) {
    const auto document = parse_json(text, "x.json", limits);
    return document ? "" : document.error().message;
}

} // namespace

class TestJson : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void readsWhatPythonWrites_data();
    void readsWhatPythonWrites();
    void saysWhatIsWrong();
    void manyKeysTakeLinearTime();
    void membersAreAsWritten();
    void fieldsAreTyped();
};

void TestJson::readsWhatPythonWrites_data() {
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<QByteArray>("reads"); // as JSON
    const auto row = [](const char* name, const char* text, const char* reads) {
        QTest::newRow(name) << QByteArray(text) << QByteArray(reads);
    };
    row("NaN", "[NaN, 1]", "[null,1]");
    row("infinities", R"({"a": Infinity, "b": -Infinity})", R"({"a":null,"b":null})");
    row("words in strings", R"(["NaN", "a\"Infinity", "\\"])", R"(["NaN","a\"Infinity","\\"])");
    row("64 bits", "[18446744073709551615, -9223372036854775808]",
        "[18446744073709551615,-9223372036854775808]");
    row("beyond 64 bits", "[18446744073709551616]", "[1.8446744073709552e+19]");
    row("beyond a double", "[1e999, -1e400, 1e-400, 1e308]", "[null,null,0.0,1e+308]");
    row("high surrogate alone", R"(["a\ud83db"])",
        "[\"a\xef\xbf\xbd"
        "b\"]");
    row("low surrogate alone", R"(["\udE00"])", "[\"\xef\xbf\xbd\"]");
    row("high before a plain escape", R"(["\ud83d\n"])", "[\"\xef\xbf\xbd\\n\"]");
    row("two high ones", R"(["\ud83d\ud83d\ude00"])", "[\"\xef\xbf\xbd\xf0\x9f\x98\x80\"]");
    row("a pair", R"(["\ud83d\ude00"])", "[\"\xf0\x9f\x98\x80\"]");
    row("escaped backslash before u", R"(["\\ud83d"])", R"(["\\ud83d"])");
    row("key twice", R"({"a": 1, "a": [2], "b": 3})", R"({"a":[2],"b":3})");
}

void TestJson::readsWhatPythonWrites() {
    QFETCH(QByteArray, text);
    QFETCH(QByteArray, reads);
    const auto document = parse_json(text.toStdString(), "x", python);
    QVERIFY2(document, document ? "" : document.error().message.c_str());
    QCOMPARE(QByteArray::fromStdString(document->dump()), reads);
}

void TestJson::saysWhatIsWrong() {
    QCOMPARE(complaint("[NaN]", {}),
             std::string("x.json: expected JSON, but it is not valid JSON (column 2)."));
    QCOMPARE(complaint("[NaN, NaN, x]", python),
             std::string("x.json: expected JSON, but it is not valid JSON (column 12)."));
    QCOMPARE(complaint("{\n  \"a\": }", {}),
             std::string("x.json: expected JSON, but it is not valid JSON (line 2, column 8)."));
    QCOMPARE(complaint(R"({"a": 1, "a": 2})", {}),
             std::string("x.json: expected JSON, but the key \"a\" is there twice."));
    QCOMPARE(complaint("[1e999]", {}),
             std::string("x.json: expected JSON, but a number is out of range (column 6)."));
    QVERIFY(complaint(std::string(100000, '['), python).find("nested deeper than 64 levels") !=
            std::string::npos);
    QVERIFY(complaint("[1, 2, 3]", {8, 3}).find("more than 3 values") != std::string::npos);
    QCOMPARE(parse_json_object("[1]", "x.json").error().message,
             std::string("x.json: expected a JSON object, found a list of 1 values."));
    for (const char* text : {"", "NaNs", "[Infinit]", "-", "[-Inf]", "\"\\ud8\"", "\"\\", "{\"a\""})
        QVERIFY2(!complaint(text, python).empty(), text);
}

void TestJson::manyKeysTakeLinearTime() {
    // A list of pairs, as nlohmann's ordered_json is, takes a minute for these.
    std::string text = "{";
    for (int i = 0; i < 150000; ++i)
        text.append(1, '"').append(std::to_string(i)).append("\":0,");
    text += "\"end\":NaN}";
    const auto document = parse_json_object(text, "x", python);
    QVERIFY(document);
    QCOMPARE(document->size(), std::size_t{150001});
    QCOMPARE(json_members(text).size(), std::size_t{150001});
}

void TestJson::membersAreAsWritten() {
    const auto members = json_members(R"( { "a" : NaN , "b":[1, {"c": "}"}] ,"\"": "x,\"y" } )");
    QCOMPARE(members.size(), std::size_t{3});
    QCOMPARE(std::string(members[0].key), std::string(R"("a")"));
    QCOMPARE(std::string(members[0].value), std::string("NaN"));
    QCOMPARE(std::string(members[1].value), std::string(R"([1, {"c": "}"}])"));
    QCOMPARE(std::string(members[2].key), std::string(R"("\"")"));
    QCOMPARE(std::string(members[2].value), std::string(R"("x,\"y")"));
    QVERIFY(json_members("{}").empty() && json_members("[1]").empty() && json_members("").empty());
}

void TestJson::fieldsAreTyped() {
    const json object = json::parse(R"({"name": "x", "null": null, "big": 18446744073709551615, "n": 3,
                                        "inner": {"list": [1, "a"]}, "rows": [{"n": 1}, {"n": "x"}]})");
    std::string name = "before";
    int n = 7;
    JsonFields good(object, "file");
    good.text("name", name);
    good.text("null", name, JsonFields::Need::optional);
    good.integer("n", n, 0, 9);
    QVERIFY(good.result());
    QCOMPARE(name, std::string("x"));
    QCOMPARE(n, 3);
    const auto said = [&](const std::function<void(JsonFields&)>& read) {
        JsonFields fields(object, "file");
        read(fields);
        return fields.result() ? std::string() : fields.result().error().message;
    };
    QCOMPARE(said([&](JsonFields& in) { in.text("null", name); }),
             std::string("file: 'null': expected a string, found nothing."));
    QCOMPARE(said([&](JsonFields& in) { in.integer("n", n, 0, 2); }),
             std::string("file: 'n': expected an integer from 0 to 2, found 3."));
    QCOMPARE(
        said([&](JsonFields& in) { in.integer("big", n, 0, JsonFields::int_max); }),
        std::string("file: 'big': expected an integer from 0 to 2147483647, found 18446744073709551615."));
    QCOMPARE(n, 3); // a wrong member changes nothing
    QCOMPARE(said([&](JsonFields& in) {
                 std::vector<double> list;
                 in.object("inner", [&](JsonFields& inner) { inner.numbers("list", list); });
             }),
             std::string("file: 'inner.list': expected numbers, found \"a\"."));
    QCOMPARE(said([&](JsonFields& in) {
                 in.objects("rows", [&](JsonFields& row) { row.integer("n", n, 0, 9); });
                 in.text("name", name); // after an error: changes nothing
             }),
             std::string("file: 'rows[1].n': expected an integer from 0 to 9, found \"x\"."));
    QCOMPARE(said([](JsonFields& in) { in.number("name", 0.0, std::numeric_limits<double>::max()); }),
             std::string("file: 'name': expected a finite number of at least 0, found \"x\"."));
    const json list = json::array();
    QCOMPARE(JsonFields(list, "file").result().error().message,
             std::string("file: expected an object, found a list of 0 values."));
}

QTEST_APPLESS_MAIN(TestJson)
#include "tst_json.moc"
