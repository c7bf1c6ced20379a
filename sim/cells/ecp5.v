// Behavioural models of the ECP5 cells that Chrysalis emits and that Yosys infers from plain
// Verilog, for Icarus Verilog 11. A setting that is not modelled ends the simulation.

module MULT18X18D (
    input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
    input B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
    input C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
    input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
    input CLK3, CLK2, CLK1, CLK0, CE3, CE2, CE1, CE0, RST3, RST2, RST1, RST0,
    input SRIA17, SRIA16, SRIA15, SRIA14, SRIA13, SRIA12, SRIA11, SRIA10, SRIA9, SRIA8, SRIA7,
    SRIA6, SRIA5, SRIA4, SRIA3, SRIA2, SRIA1, SRIA0,
    input SRIB17, SRIB16, SRIB15, SRIB14, SRIB13, SRIB12, SRIB11, SRIB10, SRIB9, SRIB8, SRIB7,
    SRIB6, SRIB5, SRIB4, SRIB3, SRIB2, SRIB1, SRIB0,
    output SROA17, SROA16, SROA15, SROA14, SROA13, SROA12, SROA11, SROA10, SROA9, SROA8, SROA7,
    SROA6, SROA5, SROA4, SROA3, SROA2, SROA1, SROA0,
    output SROB17, SROB16, SROB15, SROB14, SROB13, SROB12, SROB11, SROB10, SROB9, SROB8, SROB7,
    SROB6, SROB5, SROB4, SROB3, SROB2, SROB1, SROB0,
    output ROA17, ROA16, ROA15, ROA14, ROA13, ROA12, ROA11, ROA10, ROA9, ROA8, ROA7, ROA6, ROA5,
    ROA4, ROA3, ROA2, ROA1, ROA0,
    output ROB17, ROB16, ROB15, ROB14, ROB13, ROB12, ROB11, ROB10, ROB9, ROB8, ROB7, ROB6, ROB5,
    ROB4, ROB3, ROB2, ROB1, ROB0,
    output ROC17, ROC16, ROC15, ROC14, ROC13, ROC12, ROC11, ROC10, ROC9, ROC8, ROC7, ROC6, ROC5,
    ROC4, ROC3, ROC2, ROC1, ROC0,
    output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
    P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0,
    output SIGNEDP
);
    parameter REG_INPUTA_CLK = "NONE";
    parameter REG_INPUTA_CE = "CE0";
    parameter REG_INPUTA_RST = "RST0";
    parameter REG_INPUTB_CLK = "NONE";
    parameter REG_INPUTB_CE = "CE0";
    parameter REG_INPUTB_RST = "RST0";
    parameter REG_INPUTC_CLK = "NONE";
    parameter REG_INPUTC_CE = "CE0";
    parameter REG_INPUTC_RST = "RST0";
    parameter REG_PIPELINE_CLK = "NONE";
    parameter REG_PIPELINE_CE = "CE0";
    parameter REG_PIPELINE_RST = "RST0";
    parameter REG_OUTPUT_CLK = "NONE";
    parameter REG_OUTPUT_CE = "CE0";
    parameter REG_OUTPUT_RST = "RST0";
    parameter CLK0_DIV = "ENABLED";
    parameter CLK1_DIV = "ENABLED";
    parameter CLK2_DIV = "ENABLED";
    parameter CLK3_DIV = "ENABLED";
    parameter HIGHSPEED_CLK = "NONE";
    parameter GSR = "ENABLED";
    parameter CAS_MATCH_REG = "FALSE";
    parameter SOURCEB_MODE = "B_SHIFT";
    parameter MULT_BYPASS = "DISABLED";
    parameter RESETMODE = "SYNC";

    // Each rank of registers is off, or runs on CLK0, CE0 and RST0.
    function supported;
        input [8*8-1:0] clk, ce, rst;
        supported = clk == "NONE" || (clk == "CLK0" && ce == "CE0" && rst == "RST0");
    endfunction

    initial begin
        if (!supported(REG_INPUTA_CLK, REG_INPUTA_CE, REG_INPUTA_RST)
            || !supported(REG_INPUTB_CLK, REG_INPUTB_CE, REG_INPUTB_RST)
            || !supported(REG_PIPELINE_CLK, REG_PIPELINE_CE, REG_PIPELINE_RST)
            || !supported(REG_OUTPUT_CLK, REG_OUTPUT_CE, REG_OUTPUT_RST)
            || REG_INPUTC_CLK != "NONE" || MULT_BYPASS != "DISABLED" || RESETMODE != "SYNC"
            || CAS_MATCH_REG != "FALSE" || HIGHSPEED_CLK != "NONE") begin
            $display("ERROR: MULT18X18D %m has a setting that is not modelled");
            $fatal;
        end
    end

    // The shift chain, operand C and what leaves through RO and SRO are not modelled.
    always @(SOURCEA or SOURCEB)
        if (SOURCEA === 1'b1 || SOURCEB === 1'b1) begin
            $display("ERROR: MULT18X18D %m takes an operand from the shift chain: not modelled");
            $fatal;
        end

    // The top bit of each extended operand is its sign, zero for an unsigned one. In hardware the
    // sign inputs have registers beside their operands'.
    wire [17:0] a_pins =
        {A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
    wire [17:0] b_pins =
        {B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
    wire signed [18:0] a_0 = {SIGNEDA & A17, a_pins};
    wire signed [18:0] b_0 = {SIGNEDB & B17, b_pins};
    reg signed [18:0] a_reg = 0, b_reg = 0;
    wire signed [18:0] a_1 = REG_INPUTA_CLK == "NONE" ? a_0 : a_reg;
    wire signed [18:0] b_1 = REG_INPUTB_CLK == "NONE" ? b_0 : b_reg;
    wire signed [37:0] product = a_1 * b_1;
    wire signed_0 = SIGNEDA | SIGNEDB;
    reg [36:0] pipeline_reg = 0, output_reg = 0;
    wire [36:0] p_1 = {signed_0, product[35:0]};
    wire [36:0] p_2 = REG_PIPELINE_CLK == "NONE" ? p_1 : pipeline_reg;
    wire [36:0] p_3 = REG_OUTPUT_CLK == "NONE" ? p_2 : output_reg;

    always @(posedge CLK0)
        if (RST0) begin
            a_reg <= 0;
            b_reg <= 0;
            pipeline_reg <= 0;
            output_reg <= 0;
        end else if (CE0) begin
            a_reg <= a_0;
            b_reg <= b_0;
            pipeline_reg <= p_1;
            output_reg <= p_2;
        end

    assign {
        SIGNEDP,
        P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
        P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
    } = p_3;
endmodule

module DP16KD (
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5,
    DIA4, DIA3, DIA2, DIA1, DIA0,
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
    DOA4, DOA3, DOA2, DOA1, DOA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5,
    DIB4, DIB3, DIB2, DIB1, DIB0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
    DOB4, DOB3, DOB2, DOB1, DOB0
);
    parameter DATA_WIDTH_A = 18;
    parameter DATA_WIDTH_B = 18;
    parameter REGMODE_A = "NOREG";
    parameter REGMODE_B = "NOREG";
    parameter RESETMODE = "SYNC";
    parameter ASYNC_RESET_RELEASE = "SYNC";
    parameter CSDECODE_A = "0b000";
    parameter CSDECODE_B = "0b000";
    parameter WRITEMODE_A = "NORMAL";
    parameter WRITEMODE_B = "NORMAL";
    parameter CLKAMUX = "CLKA";
    parameter CLKBMUX = "CLKB";
    parameter GSR = "ENABLED";
    parameter INIT_DATA = "STATIC";
    parameter [319:0] INITVAL_00 = 320'h0;
    parameter [319:0] INITVAL_01 = 320'h0;
    parameter [319:0] INITVAL_02 = 320'h0;
    parameter [319:0] INITVAL_03 = 320'h0;
    parameter [319:0] INITVAL_04 = 320'h0;
    parameter [319:0] INITVAL_05 = 320'h0;
    parameter [319:0] INITVAL_06 = 320'h0;
    parameter [319:0] INITVAL_07 = 320'h0;
    parameter [319:0] INITVAL_08 = 320'h0;
    parameter [319:0] INITVAL_09 = 320'h0;
    parameter [319:0] INITVAL_0A = 320'h0;
    parameter [319:0] INITVAL_0B = 320'h0;
    parameter [319:0] INITVAL_0C = 320'h0;
    parameter [319:0] INITVAL_0D = 320'h0;
    parameter [319:0] INITVAL_0E = 320'h0;
    parameter [319:0] INITVAL_0F = 320'h0;
    parameter [319:0] INITVAL_10 = 320'h0;
    parameter [319:0] INITVAL_11 = 320'h0;
    parameter [319:0] INITVAL_12 = 320'h0;
    parameter [319:0] INITVAL_13 = 320'h0;
    parameter [319:0] INITVAL_14 = 320'h0;
    parameter [319:0] INITVAL_15 = 320'h0;
    parameter [319:0] INITVAL_16 = 320'h0;
    parameter [319:0] INITVAL_17 = 320'h0;
    parameter [319:0] INITVAL_18 = 320'h0;
    parameter [319:0] INITVAL_19 = 320'h0;
    parameter [319:0] INITVAL_1A = 320'h0;
    parameter [319:0] INITVAL_1B = 320'h0;
    parameter [319:0] INITVAL_1C = 320'h0;
    parameter [319:0] INITVAL_1D = 320'h0;
    parameter [319:0] INITVAL_1E = 320'h0;
    parameter [319:0] INITVAL_1F = 320'h0;
    parameter [319:0] INITVAL_20 = 320'h0;
    parameter [319:0] INITVAL_21 = 320'h0;
    parameter [319:0] INITVAL_22 = 320'h0;
    parameter [319:0] INITVAL_23 = 320'h0;
    parameter [319:0] INITVAL_24 = 320'h0;
    parameter [319:0] INITVAL_25 = 320'h0;
    parameter [319:0] INITVAL_26 = 320'h0;
    parameter [319:0] INITVAL_27 = 320'h0;
    parameter [319:0] INITVAL_28 = 320'h0;
    parameter [319:0] INITVAL_29 = 320'h0;
    parameter [319:0] INITVAL_2A = 320'h0;
    parameter [319:0] INITVAL_2B = 320'h0;
    parameter [319:0] INITVAL_2C = 320'h0;
    parameter [319:0] INITVAL_2D = 320'h0;
    parameter [319:0] INITVAL_2E = 320'h0;
    parameter [319:0] INITVAL_2F = 320'h0;
    parameter [319:0] INITVAL_30 = 320'h0;
    parameter [319:0] INITVAL_31 = 320'h0;
    parameter [319:0] INITVAL_32 = 320'h0;
    parameter [319:0] INITVAL_33 = 320'h0;
    parameter [319:0] INITVAL_34 = 320'h0;
    parameter [319:0] INITVAL_35 = 320'h0;
    parameter [319:0] INITVAL_36 = 320'h0;
    parameter [319:0] INITVAL_37 = 320'h0;
    parameter [319:0] INITVAL_38 = 320'h0;
    parameter [319:0] INITVAL_39 = 320'h0;
    parameter [319:0] INITVAL_3A = 320'h0;
    parameter [319:0] INITVAL_3B = 320'h0;
    parameter [319:0] INITVAL_3C = 320'h0;
    parameter [319:0] INITVAL_3D = 320'h0;
    parameter [319:0] INITVAL_3E = 320'h0;
    parameter [319:0] INITVAL_3F = 320'h0;

    // 36 bits is the pseudo dual-port mode: port A only writes and port B only reads, each with the
    // data pins of both ports, the lower half on A's.
    localparam PSEUDO = DATA_WIDTH_A == 36;

    function supported_width;
        input integer width;
        supported_width = width == 1 || width == 2 || width == 4 || width == 9 || width == 18;
    endfunction

    initial
        if (!(supported_width(DATA_WIDTH_A) || PSEUDO)
            || !(supported_width(DATA_WIDTH_B) || (PSEUDO && DATA_WIDTH_B == 36))
            || (REGMODE_A != "NOREG" && REGMODE_A != "OUTREG")
            || (REGMODE_B != "NOREG" && REGMODE_B != "OUTREG")
            || (PSEUDO && REGMODE_A != REGMODE_B)
            || (RESETMODE != "SYNC" && RESETMODE != "ASYNC")
            || CSDECODE_A != "0b000" || CSDECODE_B != "0b000"
            || (WRITEMODE_A != "NORMAL" && WRITEMODE_A != "WRITETHROUGH"
                && WRITEMODE_A != "READBEFOREWRITE")
            || (WRITEMODE_B != "NORMAL" && WRITEMODE_B != "WRITETHROUGH"
                && WRITEMODE_B != "READBEFOREWRITE")
            || CLKAMUX != "CLKA" || CLKBMUX != "CLKB" || INIT_DATA != "STATIC") begin
            $display("ERROR: DP16KD %m has a setting that is not modelled");
            $fatal;
        end

    // Storage: 2048 bytes of nine bits. Words narrower than nine bits leave the ninth unused.
    reg [8:0] bytes [0:2047];

    task load_row;
        input integer row;
        input [319:0] value;
        integer word;
        for (word = 0; word < 16; word = word + 1) begin
            bytes[(row * 16 + word) * 2] = value[word * 20 +: 9];
            bytes[(row * 16 + word) * 2 + 1] = value[word * 20 + 9 +: 9];
        end
    endtask

    initial begin
        load_row(0, INITVAL_00);
        load_row(1, INITVAL_01);
        load_row(2, INITVAL_02);
        load_row(3, INITVAL_03);
        load_row(4, INITVAL_04);
        load_row(5, INITVAL_05);
        load_row(6, INITVAL_06);
        load_row(7, INITVAL_07);
        load_row(8, INITVAL_08);
        load_row(9, INITVAL_09);
        load_row(10, INITVAL_0A);
        load_row(11, INITVAL_0B);
        load_row(12, INITVAL_0C);
        load_row(13, INITVAL_0D);
        load_row(14, INITVAL_0E);
        load_row(15, INITVAL_0F);
        load_row(16, INITVAL_10);
        load_row(17, INITVAL_11);
        load_row(18, INITVAL_12);
        load_row(19, INITVAL_13);
        load_row(20, INITVAL_14);
        load_row(21, INITVAL_15);
        load_row(22, INITVAL_16);
        load_row(23, INITVAL_17);
        load_row(24, INITVAL_18);
        load_row(25, INITVAL_19);
        load_row(26, INITVAL_1A);
        load_row(27, INITVAL_1B);
        load_row(28, INITVAL_1C);
        load_row(29, INITVAL_1D);
        load_row(30, INITVAL_1E);
        load_row(31, INITVAL_1F);
        load_row(32, INITVAL_20);
        load_row(33, INITVAL_21);
        load_row(34, INITVAL_22);
        load_row(35, INITVAL_23);
        load_row(36, INITVAL_24);
        load_row(37, INITVAL_25);
        load_row(38, INITVAL_26);
        load_row(39, INITVAL_27);
        load_row(40, INITVAL_28);
        load_row(41, INITVAL_29);
        load_row(42, INITVAL_2A);
        load_row(43, INITVAL_2B);
        load_row(44, INITVAL_2C);
        load_row(45, INITVAL_2D);
        load_row(46, INITVAL_2E);
        load_row(47, INITVAL_2F);
        load_row(48, INITVAL_30);
        load_row(49, INITVAL_31);
        load_row(50, INITVAL_32);
        load_row(51, INITVAL_33);
        load_row(52, INITVAL_34);
        load_row(53, INITVAL_35);
        load_row(54, INITVAL_36);
        load_row(55, INITVAL_37);
        load_row(56, INITVAL_38);
        load_row(57, INITVAL_39);
        load_row(58, INITVAL_3A);
        load_row(59, INITVAL_3B);
        load_row(60, INITVAL_3C);
        load_row(61, INITVAL_3D);
        load_row(62, INITVAL_3E);
        load_row(63, INITVAL_3F);
    end

    wire [13:0] address_a =
        {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
    wire [13:0] address_b =
        {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
    wire [17:0] data_a =
        {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4,
        DIA3, DIA2, DIA1, DIA0};
    wire [17:0] data_b =
        {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4,
        DIB3, DIB2, DIB1, DIB0};
    wire select_a = CEA && {CSA2, CSA1, CSA0} == 0;
    wire select_b = CEB && {CSB2, CSB1, CSB0} == 0;
    wire writes_a = select_a && WEA;
    wire writes_b = select_b && WEB && !PSEUDO;

    // The first byte of an access, whatever its width.
    function [10:0] first_byte;
        input integer width;
        input [13:0] address;
        case (width)
            36: first_byte = {address[13:5], 2'b00};
            18: first_byte = {address[13:4], 1'b0};
            default: first_byte = address[13:3];
        endcase
    endfunction

    function [3:0] count_bytes;
        input integer width;
        count_bytes = width == 36 ? 4 : width == 18 ? 2 : 1;
    endfunction

    // What a word of `width` bits looks like before it is stored into its one byte.
    function [8:0] merge;
        input integer width;
        input [13:0] address;
        input [8:0] old;
        input [8:0] data;
        begin
            merge = old;
            case (width)
                1: merge[address[2:0]] = data[0];
                2: merge[address[2:1] * 2 +: 2] = data[1:0];
                4: merge[address[2] * 4 +: 4] = data[3:0];
                default: merge = data;
            endcase
        end
    endfunction

    function [35:0] fetch;
        input integer width;
        input [13:0] address;
        reg [10:0] at;
        begin
            at = first_byte(width, address);
            case (width)
                1: fetch = bytes[at][address[2:0]];
                2: fetch = bytes[at][address[2:1] * 2 +: 2];
                4: fetch = bytes[at][address[2] * 4 +: 4];
                9: fetch = bytes[at];
                18: fetch = {bytes[at + 1], bytes[at]};
                default: fetch = {bytes[at + 3], bytes[at + 2], bytes[at + 1], bytes[at]};
            endcase
        end
    endfunction

    // An address unit is one bit of a byte; whether two accesses meet shows above the wider one.
    function [13:0] base_mask;
        input integer width;
        case (width)
            36: base_mask = ~14'd31;
            18: base_mask = ~14'd15;
            9: base_mask = ~14'd7;
            4: base_mask = ~14'd3;
            2: base_mask = ~14'd1;
            default: base_mask = ~14'd0;
        endcase
    endfunction

    localparam [13:0] MASK = base_mask(DATA_WIDTH_A) & base_mask(DATA_WIDTH_B);
    wire meet = (address_a & MASK) == (address_b & MASK);
    wire [10:0] first_a = first_byte(DATA_WIDTH_A, address_a);
    wire [10:0] first_b = first_byte(DATA_WIDTH_B, address_b);

    integer lane_a, lane_b;
    reg [35:0] array_a = 0, array_b = 0, output_a = 0, output_b = 0;

    wire at_once_a = RESETMODE == "ASYNC" && RSTA;
    wire at_once_b = RESETMODE == "ASYNC" && RSTB;

    // A word that one port reads while the other writes it is not defined, and comes out as X.
    // This takes both ports to be on one clock.
    always @(posedge CLKA)
        if (writes_a)
            for (lane_a = 0; lane_a < count_bytes(DATA_WIDTH_A); lane_a = lane_a + 1)
                if (DATA_WIDTH_A < 18 || address_a[lane_a])
                    bytes[first_a + lane_a] <= merge(
                        DATA_WIDTH_A, address_a, bytes[first_a + lane_a],
                        lane_a < 2 ? data_a[9 * lane_a +: 9] : data_b[9 * (lane_a - 2) +: 9]);

    always @(posedge CLKB)
        if (writes_b)
            for (lane_b = 0; lane_b < count_bytes(DATA_WIDTH_B); lane_b = lane_b + 1)
                if (DATA_WIDTH_B < 18 || address_b[lane_b])
                    bytes[first_b + lane_b] <= merge(
                        DATA_WIDTH_B, address_b, bytes[first_b + lane_b],
                        data_b[9 * lane_b +: 9]);

    always @(posedge CLKA or posedge at_once_a)
        if (RSTA) begin
            array_a <= 0;
            output_a <= 0;
        end else if (!PSEUDO) begin
            if (select_a && writes_b && meet)
                array_a <= 36'bx;
            else if (select_a && (!WEA || WRITEMODE_A == "READBEFOREWRITE"))
                array_a <= fetch(DATA_WIDTH_A, address_a);
            else if (select_a && WRITEMODE_A == "WRITETHROUGH")
                array_a <= data_a;
            if (OCEA) output_a <= array_a;
        end

    always @(posedge CLKB or posedge at_once_b)
        if (RSTB) begin
            array_b <= 0;
            output_b <= 0;
        end else begin
            if (select_b && writes_a && meet && (!PSEUDO || address_a[3:0] != 0))
                array_b <= 36'bx;
            else if (select_b && (!writes_b || WRITEMODE_B == "READBEFOREWRITE"))
                array_b <= fetch(DATA_WIDTH_B, address_b);
            else if (select_b && WRITEMODE_B == "WRITETHROUGH")
                array_b <= data_b;
            if (OCEB) output_b <= array_b;
        end

    wire [35:0] out_a = REGMODE_A == "OUTREG" ? output_a : array_a;
    wire [35:0] out_b = REGMODE_B == "OUTREG" ? output_b : array_b;
    assign {
        DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4,
        DOA3, DOA2, DOA1, DOA0
    } = PSEUDO && DATA_WIDTH_B == 36 ? out_b[17:0] : out_a[17:0];
    assign {
        DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4,
        DOB3, DOB2, DOB1, DOB0
    } = PSEUDO && DATA_WIDTH_B == 36 ? out_b[35:18] : out_b[17:0];
endmodule
