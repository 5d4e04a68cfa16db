"""Define the colours of all pictures: Okabe and Ito's, which colour-blind people can tell apart,
without the yellow, which is too pale on white. A dash or a marker says the same in grey print."""

BLACK, ORANGE, SKY, GREEN, BLUE, RED, PINK = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
GREY, PALE = "#777777", "#BBBBBB"
COLOURS = (BLACK, ORANGE, SKY, GREEN, BLUE, RED, PINK)
DASHES = ("-", "--", ":", "-.")
