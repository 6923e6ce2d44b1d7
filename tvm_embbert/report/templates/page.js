"use strict";
for (const section of document.querySelectorAll("[data-pool]")) {
  const detail = document.getElementById(section.id + "-detail");
  const show = (box) => {
    for (const other of section.querySelectorAll(".chosen")) other.classList.remove("chosen");
    box.classList.add("chosen");
    detail.textContent = box.querySelector("title").textContent;
  };
  for (const box of section.querySelectorAll(".buffer")) {
    for (const event of ["click", "pointerenter"]) box.addEventListener(event, () => show(box));
  }
  for (const row of section.querySelectorAll("[data-buffer]")) {
    row.addEventListener("click", () => show(document.getElementById(row.dataset.buffer)));
  }
}
