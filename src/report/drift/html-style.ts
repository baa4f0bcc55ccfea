/** Style of the HTML report: light, dark and print. Nothing in it asks the network for anything. */
const DARK = `
--ground:#14171c;--panel:#1c2027;--sunk:#12151a;--line:#2d333d;--text:#e4e8ee;--soft:#9aa4b2;--accent:#7db3ff;
--security:#ff7d6e;--security-ground:#3a1d1b;--capacity:#f0b64a;--capacity-ground:#352a14;
--security-fill:#ff7d6e;--capacity-fill:#f0b64a;--cosmetic-fill:#93a4bd;--cosmetic:#93a4bd;--cosmetic-ground:#222a36;--ok:#5ac48a;color-scheme:dark`;

const LIGHT = `
--ground:#f5f6f8;--panel:#fff;--sunk:#f3f4f7;--line:#dde1e8;--text:#1c232e;--soft:#5d6878;--accent:#1d5fc4;
--security:#b8271a;--security-ground:#fdecea;--capacity:#8d5a00;--capacity-ground:#fdf3dc;
--security-fill:#d6453a;--capacity-fill:#e2a52c;--cosmetic-fill:#8194b3;--cosmetic:#4c5d78;--cosmetic-ground:#eaeef5;--ok:#1a7a48;color-scheme:light`;

export const STYLE = `
:root{${LIGHT}}
@media (prefers-color-scheme:dark){:root{${DARK}}}
:root[data-theme=light]{${LIGHT}}
:root[data-theme=dark]{${DARK}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;-webkit-text-size-adjust:100%}
main{max-width:1180px;margin:0 auto;padding:28px 24px 64px}
code,pre,.mono{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
h1{font-size:26px;line-height:1.2;margin:0;letter-spacing:-.01em}
h2{font-size:18px;margin:28px 0 10px;display:flex;gap:10px;align-items:baseline;flex-wrap:wrap}
h2 small,.soft{color:var(--soft);font-weight:400;font-size:13px}
header{display:flex;justify-content:space-between;gap:16px;align-items:flex-start;flex-wrap:wrap;margin-bottom:20px}
header p{margin:4px 0 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:12px;margin-bottom:20px}
.tile{background:var(--panel);border:1px solid var(--line);border-radius:10px;padding:12px 16px;border-top:3px solid var(--line)}
.tile b{display:block;font-size:26px;line-height:1.2;font-variant-numeric:tabular-nums}
.tile.some.security{border-top-color:var(--fill)}.tile.some.security b{color:var(--security)}
.tile.some.capacity{border-top-color:var(--fill)}.tile.some.capacity b{color:var(--capacity)}
.tile.some.cosmetic{border-top-color:var(--fill)}.tile.some.cosmetic b{color:var(--cosmetic)}
.tile.fine{border-top-color:var(--ok)}.tile.fine b{color:var(--ok)}
.bar{position:sticky;top:0;z-index:2;display:flex;gap:8px;flex-wrap:wrap;align-items:center;background:var(--ground);padding:10px 0;border-bottom:1px solid var(--line)}
.bar input[type=search]{flex:1 1 220px;min-width:0;padding:7px 12px;border:1px solid var(--line);border-radius:8px;background:var(--panel);color:var(--text);font:inherit}
button,.chip{font:inherit;font-size:13px;padding:6px 12px;border:1px solid var(--line);border-radius:8px;background:var(--panel);color:var(--text);cursor:pointer;white-space:nowrap}
button:hover,.chip:hover{border-color:var(--soft)}
button[aria-pressed=true]{background:var(--text);color:var(--ground);border-color:var(--text)}
.group{display:inline-flex}.group button{border-radius:0;margin-left:-1px}.group button:first-child{border-radius:8px 0 0 8px;margin-left:0}.group button:last-child{border-radius:0 8px 8px 0}
.chip{display:inline-flex;gap:6px;align-items:center;user-select:none}
.chip:has(input:not(:checked)){opacity:.5}
.chip input{margin:0;accent-color:var(--accent)}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.badge{display:inline-block;min-width:68px;text-align:center;font-size:12px;line-height:20px;padding:0 8px;white-space:nowrap;border-radius:10px;font-weight:600}
.security{--fill:var(--security-fill);--own:var(--security);--own-ground:var(--security-ground)}
.capacity{--fill:var(--capacity-fill);--own:var(--capacity);--own-ground:var(--capacity-ground)}
.cosmetic{--fill:var(--cosmetic-fill);--own:var(--cosmetic);--own-ground:var(--cosmetic-ground)}
.badge{color:var(--own,var(--soft));background:var(--own-ground,var(--sunk))}
.count{font-size:12px;color:var(--own);font-weight:600;margin-right:8px}
.dot{flex:none;width:9px;height:9px;border-radius:50%;background:var(--fill,var(--ok))}
details.resource{background:var(--panel);border:1px solid var(--line);border-left:4px solid var(--fill,var(--ok));border-radius:10px;margin:10px 0}
.branch{margin-left:22px}
summary{cursor:pointer}
details.resource>summary{padding:11px 16px;display:flex;gap:10px;align-items:center;flex-wrap:wrap;list-style:none}
details.resource>summary::-webkit-details-marker{display:none}
details.resource>summary::before{content:"";width:7px;height:7px;border:solid var(--soft);border-width:0 2px 2px 0;transform:rotate(-45deg);transition:transform .12s;flex:none}
details.resource[open]>summary::before{transform:rotate(45deg) translate(-1px,-1px)}
summary .name{font-weight:600;overflow-wrap:anywhere}
summary .heal{margin-left:auto;color:var(--soft);font-size:13px}
.item{padding:14px 16px;border-top:1px solid var(--line)}
.item h3{font-size:14px;margin:0 0 8px;display:flex;gap:10px;align-items:center;flex-wrap:wrap}
.item h3 .why{font-weight:400;color:var(--soft)}
.change{display:grid;grid-template-columns:minmax(0,1fr) auto minmax(0,1fr);gap:8px;align-items:stretch;margin:0 0 10px}
.value{background:var(--sunk);border:1px solid var(--line);border-radius:6px;padding:6px 10px;overflow-wrap:anywhere;white-space:pre-wrap;max-height:220px;overflow:auto;margin:0}
.value.is{color:var(--own);background:var(--own-ground);border-color:transparent}
.label{display:block;font-size:11px;color:var(--soft);margin-bottom:2px}.arrow{align-self:end;padding-bottom:6px}
.change.one{grid-template-columns:minmax(0,1fr)}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:2px 14px;margin:0;font-size:13px}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.scroll{overflow-x:auto;background:var(--panel);border:1px solid var(--line);border-radius:10px;margin:10px 0}
table{border-collapse:collapse;width:100%;font-size:13px}
th{text-align:left;color:var(--soft);font-weight:600;background:var(--sunk)}
th,td{padding:8px 12px;border-bottom:1px solid var(--line);vertical-align:top}
tbody tr:last-child td{border-bottom:0}
td{overflow-wrap:break-word}td:nth-child(6),td:nth-child(7){min-width:190px}
td code{font-size:12px}
.plot{margin:12px 0;background:var(--panel);border:1px solid var(--line);border-radius:10px;padding:14px 16px 8px}
.plot svg{display:block;width:100%;height:auto}
.plot text{fill:var(--soft);font:11px system-ui,sans-serif}
.plot .grid{stroke:var(--line)}.plot .cursor{stroke:var(--soft);stroke-dasharray:2 3}
.area{fill:var(--fill)}
.legend{display:flex;gap:16px;font-size:12px;color:var(--soft);margin-bottom:4px;flex-wrap:wrap}
.legend .runs{margin-left:auto}.legend span{display:inline-flex;gap:6px;align-items:center}
.note{border-left:4px solid var(--capacity);background:var(--capacity-ground);border-radius:6px;padding:8px 14px;margin:8px 0;overflow-wrap:anywhere}
.fine-note{border-left-color:var(--ok);background:var(--panel)}
.command{display:flex;gap:8px;align-items:center;margin:12px 0}
.command code{flex:1;background:var(--sunk);border:1px solid var(--line);border-radius:8px;padding:8px 12px;overflow-x:auto;white-space:pre}
.rest{margin:12px 0}.rest>summary{color:var(--soft);font-size:13px}
.rest ul{columns:3 240px;padding-left:20px;margin:8px 0;font-size:13px}.rest li{overflow-wrap:anywhere}
.empty{color:var(--soft);padding:24px;text-align:center;border:1px dashed var(--line);border-radius:10px}
[hidden]{display:none!important}
body[data-view=tree] .table-view,body:not([data-view=tree]) .tree-view{display:none}
footer{margin-top:48px;color:var(--soft);font-size:12px}
@media (max-width:640px){main{padding:18px 14px 48px}.change{grid-template-columns:minmax(0,1fr)}.change .arrow{display:none}summary .heal{margin-left:0;width:100%}.branch{margin-left:10px}}
@media print{
:root,:root[data-theme]{${LIGHT};--ground:#fff}
.bar,.copy,.theme{display:none!important}
main{max-width:none;padding:0}
details.resource,.item,tr,.plot,.tile{break-inside:avoid}
body{font-size:11px}.tile b{font-size:18px}
.value{max-height:none}
}
`;
