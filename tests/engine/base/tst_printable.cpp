// SPDX-License-Identifier: Apache-2.0
#include "engine/base/printable.h"

#include <QTest>
#include <random>

using namespace quantscope;

class TestPrintable : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void what_terminals_obey_is_taken_out_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QByteArray>("shown");
        QTest::newRow("plain") << QByteArray("srun: job 7 queued") << QByteArray("srun: job 7 queued");
        QTest::newRow("colour") << QByteArray("\x1b[1;31mred\x1b[0m text") << QByteArray("red text");
        QTest::newRow("title") << QByteArray("\x1b]0;evil\aafter") << QByteArray("after");
        QTest::newRow("title ended by ST") << QByteArray("\x1b]0;evil\x1b\\after") << QByteArray("after");
        QTest::newRow("character set") << QByteArray("\x1b(Bafter") << QByteArray("after");
        QTest::newRow("cut sequence") << QByteArray("before\x1b[") << QByteArray("before");
        QTest::newRow("controls") << QByteArray("a\0b\a\b\tc\x7f", 8) << QByteArray("a b c");
        QTest::newRow("C1") << QByteArray("a\xc2\x9b"
                                          "31mb")
                            << QByteArray("a 31mb");
        QTest::newRow("direction") << QByteArray("a\xe2\x80\xae"
                                                 "b\xe2\x81\xa6"
                                                 "c")
                                   << QByteArray("abc");
        QTest::newRow("lines") << QByteArray("  a\r\n\xe2\x80\xa8 b  \n") << QByteArray("a b");
        QTest::newRow("not UTF-8") << QByteArray("a\xff\xc0\xaf\xe2\x82")
                                   << QByteArray(
                                          "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
        QTest::newRow("other scripts") << QByteArray("Größe 大小") << QByteArray("Größe 大小");
    }
    void what_terminals_obey_is_taken_out() {
        QFETCH(QByteArray, text);
        QFETCH(QByteArray, shown);
        QCOMPARE(QByteArray::fromStdString(printable(text.toStdString())), shown);
    }

    void long_text_is_cut_between_characters() {
        std::string text;
        for (int i = 0; i < 100; ++i) {
            text += "大";
        }
        const std::string shown = printable(text, 20);
        QVERIFY(QString::fromUtf8(shown.c_str()).endsWith(QStringLiteral("大…")));
        QVERIFY(!QString::fromUtf8(shown.c_str()).contains(QChar::ReplacementCharacter));
    }

    void the_last_lines_are_quoted() {
        const std::string text = "one\n\ntwo\r\n 10 %\r 20 %\r\n\x1b[0m\nPassword: ";
        QCOMPARE(quoted_last_lines(text, 2), std::string("\"20 %\", \"Password:\""));
        QCOMPARE(quoted_last_lines(text, 9), std::string("\"one\", \"two\", \"20 %\", \"Password:\""));
        QCOMPARE(quoted_last_lines("\n \r\n", 3), std::string());
    }

    void any_bytes_become_one_clean_line() {
        std::mt19937 random(11);
        for (int round = 0; round < 500; ++round) {
            std::string noise(random() % 300, '\0');
            for (char& c : noise) {
                c = static_cast<char>(random());
            }
            const QString shown = QString::fromStdString(printable(noise, 100));
            QVERIFY(shown.toUtf8().size() <= 103);
            for (const QChar c : shown) {
                QVERIFY(c.unicode() >= 0x20 && !(c.unicode() >= 0x7f && c.unicode() < 0xa0));
            }
        }
    }
};

QTEST_GUILESS_MAIN(TestPrintable)
#include "tst_printable.moc"
