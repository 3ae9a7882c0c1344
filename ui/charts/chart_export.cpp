// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/chart_export.h"

#include "ui/charts/chart_scene.h"
#include "ui/files/save_file.h"
#include "ui/numbers/visible_text.h"

#include <QApplication>
#include <QBuffer>
#include <QFileInfo>
#include <QFontInfo>
#include <QPainter>
#include <QPdfWriter>
#include <QSvgGenerator>

#include <memory>

namespace quantscope::ui {

namespace {

constexpr int pointsPerInch = 72;
constexpr int screenDpi = 96;

QFont chartFont() {
    QFont font = QApplication::font();
    font.setFamily(
        QFontInfo(font).family()); // the font's own name, not an alias that only this machine resolves
    font.setPixelSize(13);         // in pixels: the same picture whatever the screen's resolution
    return font;
}

std::unique_ptr<ChartScene> makeScene(const storage::CampaignSummary& summary, ChartKind kind,
                                      const ChartOptions& options) {
    auto scene = std::make_unique<ChartScene>(kind);
    scene->setStyle(options.dark ? ChartTheme::darkGround() : ChartTheme::light(), chartFont());
    scene->setSummary(summary, options);
    scene->layOut(options.size);
    // A campaign with many rows or a long legend gets a taller picture than asked for, never a cut one.
    if (scene->minimumHeight() > options.size.height())
        scene->layOut(QSizeF(options.size.width(), scene->minimumHeight()));
    return scene;
}

QByteArray pngBytes(ChartScene& scene) {
    constexpr qreal scale = 2.0; // for paper and high-density screens
    QImage image((scene.sceneRect().size() * scale).toSize(), QImage::Format_ARGB32_Premultiplied);
    image.fill(Qt::white);
    QPainter painter(&image);
    painter.setRenderHint(QPainter::Antialiasing);
    scene.render(&painter);
    painter.end();
    QByteArray bytes;
    QBuffer buffer(&bytes);
    buffer.open(QIODevice::WriteOnly);
    image.save(&buffer, "PNG");
    return bytes;
}

QByteArray svgBytes(ChartScene& scene, const QString& title) {
    QByteArray bytes;
    QBuffer buffer(&bytes);
    buffer.open(QIODevice::WriteOnly);
    QSvgGenerator generator;
    generator.setOutputDevice(&buffer);
    generator.setSize(scene.sceneRect().size().toSize());
    generator.setViewBox(scene.sceneRect());
    generator.setResolution(screenDpi);
    generator.setTitle(title.toHtmlEscaped()); // Qt 6.4 writes it as it is given
    QPainter painter(&generator);
    scene.render(&painter);
    painter.end();
    // Another machine may lack this font: any sans-serif will do there.
    const QByteArray family = "font-family=\"" + chartFont().family().toUtf8();
    bytes.replace(family + "\"", family + ", sans-serif\"");
    return bytes;
}

QByteArray pdfBytes(ChartScene& scene, const QString& title) {
    QByteArray bytes;
    QBuffer buffer(&bytes);
    buffer.open(QIODevice::WriteOnly);
    QPdfWriter writer(&buffer);
    const QSizeF points = scene.sceneRect().size() * pointsPerInch / screenDpi;
    writer.setPageSize(QPageSize(points, QPageSize::Point, QString(), QPageSize::ExactMatch));
    writer.setPageMargins(QMarginsF());
    writer.setResolution(screenDpi * 4);
    writer.setTitle(title);
    writer.setCreator(QStringLiteral("Quantscope"));
    QPainter painter(&writer);
    scene.render(&painter, QRectF(0, 0, writer.width(), writer.height()));
    painter.end();
    return bytes;
}

QString titleOf(const storage::CampaignSummary& summary) {
    return summary.campaign.spec.name.isEmpty() ? QStringLiteral("Quantscope")
                                                : visibleText(summary.campaign.spec.name);
}

} // namespace

std::optional<ChartFormat> chartFormatOf(const QString& fileName) {
    const QString suffix = QFileInfo(fileName).suffix().toLower();
    if (suffix == QLatin1String("png"))
        return ChartFormat::Png;
    if (suffix == QLatin1String("svg"))
        return ChartFormat::Svg;
    if (suffix == QLatin1String("pdf"))
        return ChartFormat::Pdf;
    if (suffix == QLatin1String("csv"))
        return ChartFormat::Csv;
    return std::nullopt;
}

QByteArray renderChart(const storage::CampaignSummary& summary, ChartKind kind, ChartFormat format,
                       const ChartOptions& options) {
    if (format == ChartFormat::Csv)
        return chartCsv(summary, kind).toUtf8();
    const auto scene = makeScene(summary, kind, options);
    switch (format) {
    case ChartFormat::Png: return pngBytes(*scene);
    case ChartFormat::Svg: return svgBytes(*scene, titleOf(summary));
    default: return pdfBytes(*scene, titleOf(summary));
    }
}

QImage chartImage(const storage::CampaignSummary& summary, ChartKind kind, const ChartOptions& options,
                  qreal scale) {
    const auto scene = makeScene(summary, kind, options);
    QImage image((scene->sceneRect().size() * scale).toSize(), QImage::Format_ARGB32_Premultiplied);
    image.fill(Qt::white);
    QPainter painter(&image);
    painter.setRenderHint(QPainter::Antialiasing);
    scene->render(&painter);
    return image;
}

QString saveChart(const QString& fileName, const storage::CampaignSummary& summary, ChartKind kind,
                  const ChartOptions& options) {
    const auto format = chartFormatOf(fileName);
    if (!format)
        return QStringLiteral(
                   "%1 was not written: its name ends in “%2”, but a chart is saved as .png, .svg, .pdf or "
                   ".csv. Choose one of these endings.")
            .arg(fileName, QFileInfo(fileName).suffix());
    return saveFile(fileName, renderChart(summary, kind, *format, options));
}

} // namespace quantscope::ui
