"""The report's style: light, dark, narrow and on paper."""

STYLE = """
:root{color-scheme:light dark;--ground:#fff;--text:#1b2430;--soft:#5a6675;--line:#d5dbe3;
--card:#f4f6f9;--charge:#2f6fde;--other:#9aa7b8;--pv:#d9a400;--battery:#1f9d73;--limit:#c8323c}
@media (prefers-color-scheme:dark){:root{--ground:#12161c;--text:#e6ebf2;--soft:#9aa7b8;
--line:#2f3845;--card:#1b222c;--charge:#6ba1ff;--other:#64748b;--pv:#f2c438;--battery:#46c79b;
--limit:#ff7b83}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1280px;margin:0 auto;padding:24px 20px 48px}
h1{font-size:26px;line-height:1.2;margin:0 0 4px}
h2{font-size:19px;margin:36px 0 10px}
h3{font-size:15px;margin:16px 0 4px}
.meta,footer,small{color:var(--soft)}
.meta{margin:0 0 20px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:12px}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 14px}
.card span,.card small{display:block;font-size:13px;color:var(--soft)}
.card strong{font-size:24px;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:6px 10px;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
thead th{color:var(--soft);font-weight:600;font-size:13px}
tbody th,thead th:first-child{text-align:left;font-weight:600}
tr.late td:nth-child(5){color:var(--limit);font-weight:700}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,480px),1fr));gap:20px}
figure{margin:0;border:1px solid var(--line);border-radius:8px;padding:10px 12px;min-width:0}
figcaption{font-weight:600;margin-bottom:4px;overflow-wrap:anywhere}
svg{display:block;width:100%;height:auto}
svg text{fill:var(--soft);font-size:12px}
.p-axis{stroke:var(--line)}.p-charge{fill:var(--charge)}.p-other{fill:var(--other)}
.p-grid{fill:none;stroke:var(--text);stroke-width:1.6}
.p-limit,.p-have{stroke:var(--limit);stroke-width:1.6;stroke-dasharray:6 4}
.p-pv{fill:none;stroke:var(--pv);stroke-width:2}
.p-battery{fill:none;stroke:var(--battery);stroke-width:2}
.p-way{fill:none;stroke:var(--other);stroke-width:1.4}
.p-served{fill:var(--battery)}.p-failed{fill:var(--ground);stroke:var(--limit);stroke-width:2}
.p-bound{stroke:var(--soft);stroke-width:1.4;stroke-dasharray:2 3}
polyline.p-staying,polyline.p-handed{fill:none;stroke-width:2}
polyline.p-staying{stroke:var(--charge)}polyline.p-handed{stroke:var(--battery)}
circle.p-staying{fill:var(--charge)}circle.p-handed{fill:var(--battery)}
.k-charge,.k-staying{color:var(--charge)}.k-other{color:var(--other)}.k-grid{color:var(--text)}
.k-limit,.k-have{color:var(--limit)}.k-battery,.k-handed{color:var(--battery)}.k-pv{color:var(--pv)}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:0 0 10px;padding:0;list-style:none;
font-size:13px;color:var(--soft)}
.legend i{display:inline-block;width:14px;height:0;border-top:4px solid;margin-right:6px;
vertical-align:middle}
.legend .k-limit,.legend .k-have{border-top:2px dashed}.legend .k-grid{border-top-width:2px}
@media (max-width:560px){main{padding:16px 12px 32px}h1{font-size:22px}.card strong{font-size:20px}
.cards{grid-template-columns:1fr 1fr}svg text{font-size:17px}}
@media print{:root{--ground:#fff;--text:#000;--soft:#444;--line:#bbb;--card:#fff;--charge:#2f6fde;
--other:#9aa7b8;--pv:#b58800;--battery:#137a57;--limit:#b3202b;color-scheme:light}
body{font-size:11pt;print-color-adjust:exact;-webkit-print-color-adjust:exact}
main{max-width:none;padding:0}figure,.card,tr{break-inside:avoid}h2{break-after:avoid}
.grid{grid-template-columns:1fr 1fr}.wide{overflow:visible}th,td{padding:3px 5px;font-size:9pt;
white-space:normal}@page{size:A4 landscape;margin:14mm}}
"""
