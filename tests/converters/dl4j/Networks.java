import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Supplier;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.conf.CNN2DFormat;
import org.deeplearning4j.nn.conf.ComputationGraphConfiguration.GraphBuilder;
import org.deeplearning4j.nn.conf.ConvolutionMode;
import org.deeplearning4j.nn.conf.InputPreProcessor;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.RNNFormat;
import org.deeplearning4j.nn.conf.dropout.GaussianNoise;
import org.deeplearning4j.nn.conf.graph.*;
import org.deeplearning4j.nn.conf.graph.rnn.*;
import org.deeplearning4j.nn.conf.inputs.InputType;
import org.deeplearning4j.nn.conf.layers.*;
import org.deeplearning4j.nn.conf.layers.convolutional.*;
import org.deeplearning4j.nn.conf.layers.misc.*;
import org.deeplearning4j.nn.conf.layers.recurrent.*;
import org.deeplearning4j.nn.conf.layers.util.*;
import org.deeplearning4j.nn.conf.preprocessor.*;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.nn.weights.WeightInit;
import org.deeplearning4j.preprocessors.*;
import org.deeplearning4j.util.ModelSerializer;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.activations.IActivation;
import org.nd4j.linalg.activations.impl.*;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.NoOp;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;

/**
 * Networks as DL4J's own builders make them, with random parameters: `java Networks.java FOLDER [NAME…]`.
 *
 * For each, in a folder of its name: model.zip, a question and its answers (in.0.npy, …, out.0.npy, …), or `error`, what
 * DL4J says where it cannot make or ask it.
 */
public class Networks {
    private static final int ROWS = 5;
    private static final Map<String, Supplier<Made>> CASES = new LinkedHashMap<>();
    private static Random random = new Random(0);
    private static DataType type = DataType.FLOAT;
    private static ConvolutionMode mode = ConvolutionMode.Truncate;

    private record Made(Model model, INDArray[] inputs) {}

    public static void main(String[] arguments) throws IOException {
        dense();
        activations();
        convolutions();
        places();
        normalizations();
        recurrent();
        sequences();
        graphs();
        types();
        List<String> wanted = List.of(arguments).subList(1, arguments.length);
        for (Map.Entry<String, Supplier<Made>> each : CASES.entrySet()) {
            if (wanted.isEmpty() || wanted.contains(each.getKey())) {
                make(each.getValue(), each.getKey(), new File(arguments[0], each.getKey()));
            }
        }
    }

    private static void make(Supplier<Made> supplier, String name, File folder) throws IOException {
        folder.mkdirs();
        int seed = name.hashCode() + Integer.getInteger("seed", 0);
        random = new Random(seed);
        Nd4j.getRandom().setSeed(seed);
        type = DataType.FLOAT;
        try {
            Made made = supplier.get();
            ModelSerializer.writeModel(made.model, new File(folder, "model.zip"), false);
            for (int i = 0; i < made.inputs.length; i++) {
                save(made.inputs[i], new File(folder, "in." + i + ".npy"));
            }
            INDArray[] outputs = made.model instanceof ComputationGraph graph
                ? graph.output(false, made.inputs)
                : new INDArray[] {((MultiLayerNetwork) made.model).output(made.inputs[0], false)};
            for (int i = 0; i < outputs.length; i++) {
                save(outputs[i], new File(folder, "out." + i + ".npy"));
            }
        } catch (Exception error) { // of whatever DL4J's libraries raise
            Throwable cause = error;
            while (cause.getCause() != null) {
                cause = cause.getCause();
            }
            Files.writeString(new File(folder, "error").toPath(), cause.toString());
        }
    }

    private static void save(INDArray array, File file) throws IOException {
        INDArray wide = array.dataType() == DataType.HALF ? array.castTo(DataType.FLOAT) : array;
        Files.write(file.toPath(), Nd4j.toNpyByteArray(wide.dup('c')));
    }

    // --- making networks ---------------------------------------------------------------------------------------------

    private static NeuralNetConfiguration.Builder begin() {
        return new NeuralNetConfiguration.Builder().seed(1).dataType(type).updater(new NoOp()).activation(Activation.TANH);
    }

    private static Made sequence(InputType input, Layer... layers) {
        return sequence(input, normal(shape(input)), layers);
    }

    private static Made sequence(InputType input, INDArray question, Layer... layers) {
        NeuralNetConfiguration.ListBuilder list = begin().list();
        for (Layer layer : layers) {
            list.layer(layer);
        }
        MultiLayerConfiguration configuration = (input == null ? list : list.setInputType(input)).build();
        MultiLayerNetwork network = new MultiLayerNetwork(configuration);
        network.init();
        fill(network.paramTable());
        return new Made(network, new INDArray[] {question});
    }

    private static Made graph(GraphBuilder builder, INDArray... questions) {
        ComputationGraph graph = new ComputationGraph(builder.build());
        graph.init();
        fill(graph.paramTable());
        return new Made(graph, questions);
    }

    private static void fill(Map<String, INDArray> parameters) {
        for (Map.Entry<String, INDArray> each : parameters.entrySet()) {
            INDArray values = Nd4j.randn(DataType.DOUBLE, each.getValue().shape()).muli(0.4);
            boolean isVariance = each.getKey().endsWith("_var");
            each.getValue().assign((isVariance ? Nd4j.math().abs(values).addi(0.1) : values).castTo(type));
        }
    }

    private static long[] shape(InputType input) {
        return input.getShape(true).length == 0 ? null : withRows(input.getShape(false));
    }

    private static long[] withRows(long... shape) {
        long[] whole = new long[shape.length + 1];
        whole[0] = ROWS;
        for (int i = 0; i < shape.length; i++) {
            whole[i + 1] = shape[i];
        }
        return whole;
    }

    private static INDArray normal(long... shape) {
        return Nd4j.randn(DataType.DOUBLE, shape).muli(1.5).castTo(type);
    }

    private static INDArray indices(int count, long... shape) {
        return Nd4j.rand(DataType.DOUBLE, shape).muli(count).castTo(DataType.INT32).castTo(DataType.FLOAT);
    }

    private static int draw(int least, int most) {
        return least + random.nextInt(most - least + 1);
    }

    private static int[] draws(int count, int least, int most) {
        int[] found = new int[count];
        for (int i = 0; i < count; i++) {
            found[i] = draw(least, most);
        }
        return found;
    }

    @SafeVarargs
    private static <T> T one(T... of) {
        return of[random.nextInt(of.length)];
    }

    private static Layer out(int count) {
        return new OutputLayer.Builder(LossFunction.MCXENT).nOut(count).activation(Activation.SOFTMAX).build();
    }

    private static void add(String name, int count, Supplier<Made> maker) {
        for (int i = 0; i < count; i++) {
            CASES.put(count == 1 ? name : name + "-" + i, maker);
        }
    }

    // --- vectors -----------------------------------------------------------------------------------------------------

    private static void dense() {
        add("dense", 1, () -> sequence(InputType.feedForward(7), new DenseLayer.Builder().nOut(5).build(), out(3)));
        add("dense-no-bias", 1, () -> sequence(InputType.feedForward(7), new DenseLayer.Builder().nOut(5).hasBias(false).build(), out(3)));
        add("dense-layer-norm", 1, () -> sequence(InputType.feedForward(7), new DenseLayer.Builder().nOut(5).hasLayerNorm(true).build(), out(3)));
        add("dense-dropout", 1, () -> sequence(InputType.feedForward(7), new DenseLayer.Builder().nOut(5).dropOut(0.5).build(),
            new DropoutLayer.Builder(new GaussianNoise(0.5)).build(), out(3)));
        add("element-wise-multiplication", 1, () -> sequence(InputType.feedForward(7),
            new ElementWiseMultiplicationLayer.Builder().nIn(7).nOut(7).activation(Activation.TANH).build(), out(3)));
        add("auto-encoder", 1, () -> sequence(InputType.feedForward(7), new AutoEncoder.Builder().nOut(5).build(), out(3)));
        add("center-loss", 1, () -> sequence(InputType.feedForward(7), new CenterLossOutputLayer.Builder(LossFunction.MCXENT).nOut(4).activation(Activation.SOFTMAX).build()));
        add("loss", 1, () -> sequence(InputType.feedForward(7), new DenseLayer.Builder().nOut(5).build(),
            new LossLayer.Builder(LossFunction.MCXENT).activation(Activation.SOFTMAX).build()));
        add("embedding", 1, () -> sequence(null, indices(9, ROWS, 1), new EmbeddingLayer.Builder().nIn(9).nOut(6).activation(Activation.TANH).build(), 
            new OutputLayer.Builder(LossFunction.MCXENT).nIn(6).nOut(3).activation(Activation.SOFTMAX).build()));
        add("embedding-bias", 1, () -> sequence(null, indices(9, ROWS, 1), new EmbeddingLayer.Builder().nIn(9).nOut(6).hasBias(true).activation(Activation.TANH).build()));
        add("frozen", 1, () -> sequence(InputType.feedForward(7), new FrozenLayer(new DenseLayer.Builder().nOut(5).build()),
            new FrozenLayerWithBackprop(new DenseLayer.Builder().nIn(5).nOut(4).build()), out(3)));
        add("prelu", 1, () -> sequence(InputType.feedForward(7), new PReLULayer.Builder().inputShape(7).build(), out(3)));
        add("prelu-image", 1, () -> sequence(InputType.convolutional(4, 5, 3), new PReLULayer.Builder().inputShape(3, 4, 5).build()));
        add("prelu-shared", 1, () -> sequence(InputType.convolutional(4, 5, 3), new PReLULayer.Builder().inputShape(3, 4, 5).sharedAxes(2, 3).build()));
        add("prelu-shared-width", 1, () -> sequence(InputType.convolutional(4, 5, 3), new PReLULayer.Builder().inputShape(3, 4, 5).sharedAxes(1, 3).build()));
        add("not-mini-batch", 1, () -> {
            NeuralNetConfiguration.ListBuilder list = begin().miniBatch(false).list().layer(new DenseLayer.Builder().nOut(5).build())
                .layer(out(3));
            MultiLayerNetwork network = new MultiLayerNetwork(list.setInputType(InputType.feedForward(4)).build());
            network.init();
            return new Made(network, new INDArray[] {normal(ROWS, 4)});
        });
        add("not-mini-batch-sequence", 1, () -> {
            NeuralNetConfiguration.ListBuilder list = begin().miniBatch(false).list().layer(new LSTM.Builder().nOut(5).build())
                .layer(new DenseLayer.Builder().nOut(5).build()).layer(new RnnOutputLayer.Builder().nOut(3).activation(Activation.SOFTMAX).lossFunction(LossFunction.MCXENT).build());
            MultiLayerNetwork network = new MultiLayerNetwork(list.setInputType(InputType.recurrent(4, 6)).build());
            network.init();
            return new Made(network, new INDArray[] {normal(ROWS, 4, 6)});
        });
    }

    private static void activations() {
        IActivation[] all = {
            new ActivationCube(), new ActivationELU(), new ActivationELU(0.3), new ActivationGELU(), new ActivationGELU(true),
            new ActivationHardSigmoid(), new ActivationHardTanH(), new ActivationIdentity(), new ActivationLReLU(),
            new ActivationLReLU(0.3), new ActivationMish(), new ActivationRationalTanh(), new ActivationRReLU(), new ActivationRReLU(0.1, 0.7),
            new ActivationRectifiedTanh(), new ActivationReLU(), new ActivationReLU(1.0, 0.0, 0.0), new ActivationReLU(1.0, 0.4, 0.2),
            new ActivationReLU(2.0, -0.4, 0.2), new ActivationReLU(2.0, 0.0, 0.3), new ActivationReLU6(), new ActivationSELU(), new ActivationSigmoid(),
            new ActivationSoftmax(), new ActivationSoftPlus(), new ActivationSoftSign(), new ActivationSwish(), new ActivationTanH(),
            new ActivationThresholdedReLU(), new ActivationThresholdedReLU(0.4),
        };
        Map<String, Integer> counts = new LinkedHashMap<>();
        for (IActivation each : all) {
            String kind = each.getClass().getSimpleName().replace("Activation", "").toLowerCase();
            int number = counts.merge(kind, 1, Integer::sum);
            add("activation-" + kind + (number > 1 ? "-" + number : ""), 1, () -> sequence(InputType.feedForward(40),
                new ActivationLayer(each), new DenseLayer.Builder().nOut(30).activation(each).build()));
            add("activation-" + kind + (number > 1 ? "-" + number : "") + "-image", 1, () -> sequence(InputType.convolutional(5, 4, 3),
                new ConvolutionLayer.Builder(2, 2).nOut(3).activation(each).build(), new ActivationLayer(each)));
        }
        for (IActivation each : List.of(new ActivationELU(0.3), new ActivationHardSigmoid(), new ActivationIdentity(), new ActivationLReLU(0.3),
            new ActivationReLU(), new ActivationReLU(1.0, 0.1, 0.2), new ActivationSigmoid(), new ActivationSoftPlus(), new ActivationSoftSign(), new ActivationThresholdedReLU(0.3),
            new ActivationCube(), new ActivationHardTanH(), new ActivationReLU6(), new ActivationRationalTanh(), new ActivationSELU(), new ActivationSwish(),
            new ActivationSoftmax())) {
            String kind = each.getClass().getSimpleName().replace("Activation", "").toLowerCase() + (each.toString().contains("1.0") ? "-2" : "");
            add("lstm-" + kind, 1, () -> sequence(InputType.recurrent(4, 6), new LSTM.Builder().nOut(5).activation(each).build()));
            add("simple-rnn-" + kind, 1, () -> sequence(InputType.recurrent(4, 6), new SimpleRnn.Builder().nOut(5).activation(each).build()));
        }
        for (IActivation each : List.of(new ActivationHardSigmoid(), new ActivationTanH(), new ActivationReLU(), new ActivationSoftSign())) {
            String kind = each.getClass().getSimpleName().replace("Activation", "").toLowerCase();
            add("lstm-gate-" + kind, 1, () -> sequence(InputType.recurrent(4, 6), new LSTM.Builder().nOut(5).gateActivationFunction(each).build()));
        }
    }

    // --- images, volumes, sequences in windows ------------------------------------------------------------------------

    private static ConvolutionMode mode() {
        mode = one(ConvolutionMode.Truncate, ConvolutionMode.Same, ConvolutionMode.Strict, ConvolutionMode.Truncate, ConvolutionMode.Same);
        return mode;
    }

    private static ConvolutionMode modeInTime() {
        mode = one(mode(), ConvolutionMode.Causal);
        return mode;
    }

    /** Only where borders are not told by the mode. */
    private static int[] padding(int count) {
        boolean isTold = mode == ConvolutionMode.Same || mode == ConvolutionMode.Causal;
        return draws(count, 0, isTold ? 0 : 1);
    }

    private static void convolutions() {
        add("convolution", 16, () -> sequence(image(), new ConvolutionLayer.Builder(draws(2, 1, 3)).nOut(4).stride(draws(2, 1, 3))
            .dilation(draws(2, 1, 2)).convolutionMode(mode()).padding(padding(2)).hasBias(random.nextBoolean()).build()));
        add("convolution-nhwc", 6, () -> sequence(imageLast(), new ConvolutionLayer.Builder(draws(2, 1, 3)).nOut(4).stride(draws(2, 1, 2))
            .dilation(draws(2, 1, 2)).convolutionMode(mode()).padding(padding(2)).dataFormat(CNN2DFormat.NHWC).build(), out(3)));
        add("convolution-1d", 16, () -> sequence(InputType.recurrent(3, draw(9, 14)), new Convolution1DLayer.Builder(draw(1, 4)).nOut(4).stride(draw(1, 3))
            .dilation(draw(1, 2)).convolutionMode(modeInTime()).padding(padding(1)[0]).hasBias(random.nextBoolean()).build()));
        add("convolution-1d-nwc", 6, () -> sequence(InputType.recurrent(3, draw(9, 14), RNNFormat.NWC), new Convolution1DLayer.Builder(draw(1, 4)).nOut(4).stride(draw(1, 2))
            .dilation(draw(1, 2)).convolutionMode(modeInTime()).padding(padding(1)[0]).rnnDataFormat(RNNFormat.NWC).build()));
        add("convolution-3d", 10, () -> sequence(volume(), new Convolution3D.Builder(draws(3, 1, 3)).nOut(4).stride(draws(3, 1, 2))
            .dilation(draws(3, 1, 2)).convolutionMode(mode()).padding(padding(3)).hasBias(random.nextBoolean()).build()));
        add("convolution-3d-ndhwc", 4, () -> sequence(InputType.convolutional3D(Convolution3D.DataFormat.NDHWC, 6, 7, 8, 3), normal(ROWS, 6, 7, 8, 3),
            new Convolution3D.Builder(draws(3, 1, 3)).nOut(4).stride(draws(3, 1, 2)).convolutionMode(mode()).dataFormat(Convolution3D.DataFormat.NDHWC).build()));
        add("deconvolution", 16, () -> sequence(image(), new Deconvolution2D.Builder(draws(2, 1, 4)).nOut(4).stride(draws(2, 1, 3))
            .dilation(draws(2, 1, 2)).convolutionMode(mode()).padding(padding(2)).hasBias(random.nextBoolean()).build()));
        add("deconvolution-nhwc", 6, () -> sequence(imageLast(), new Deconvolution2D.Builder(draws(2, 1, 4)).nOut(4).stride(draws(2, 1, 2))
            .convolutionMode(mode()).dataFormat(CNN2DFormat.NHWC).build()));
        add("deconvolution-3d", 10, () -> sequence(volume(), new Deconvolution3D.Builder().kernelSize(draws(3, 1, 3)).nOut(4).stride(draws(3, 1, 2))
            .dilation(draws(3, 1, 2)).convolutionMode(mode()).padding(padding(3)).hasBias(random.nextBoolean()).build()));
        add("depthwise", 12, () -> sequence(image(), new DepthwiseConvolution2D.Builder(draws(2, 1, 3)).depthMultiplier(draw(1, 3)).stride(draws(2, 1, 2))
            .dilation(draws(2, 1, 2)).convolutionMode(mode()).padding(padding(2)).hasBias(random.nextBoolean()).build()));
        add("depthwise-nhwc", 6, () -> sequence(imageLast(), new DepthwiseConvolution2D.Builder(draws(2, 1, 3)).depthMultiplier(draw(1, 3)).stride(draws(2, 1, 2))
            .convolutionMode(mode()).dataFormat(CNN2DFormat.NHWC).build()));
        add("separable", 12, () -> sequence(image(), new SeparableConvolution2D.Builder(draws(2, 1, 3)).nOut(5).depthMultiplier(draw(1, 3)).stride(draws(2, 1, 2))
            .dilation(draws(2, 1, 2)).convolutionMode(mode()).padding(padding(2)).hasBias(random.nextBoolean()).build()));
        add("separable-nhwc", 6, () -> sequence(imageLast(), new SeparableConvolution2D.Builder(draws(2, 1, 3)).nOut(5).depthMultiplier(draw(1, 3)).stride(draws(2, 1, 2))
            .convolutionMode(mode()).dataFormat(CNN2DFormat.NHWC).build()));
    }

    private static InputType image() {
        return InputType.convolutional(draw(7, 12), draw(7, 12), 3);
    }

    private static InputType imageLast() {
        return InputType.convolutional(draw(7, 12), draw(7, 12), 3, CNN2DFormat.NHWC);
    }

    private static InputType volume() {
        return InputType.convolutional3D(Convolution3D.DataFormat.NCDHW, draw(6, 8), draw(6, 8), draw(6, 8), 3);
    }

    private static void places() {
        for (SubsamplingLayer.PoolingType kind : List.of(SubsamplingLayer.PoolingType.MAX, SubsamplingLayer.PoolingType.AVG, SubsamplingLayer.PoolingType.PNORM)) {
            String name = kind.toString().toLowerCase();
            add("pooling-" + name, 14, () -> sequence(image(), new SubsamplingLayer.Builder(kind).kernelSize(draws(2, 1, 3)).stride(draws(2, 1, 3))
                .dilation(one(1, 1, 1, 1, 2), one(1, 1, 1, 1, 2)).convolutionMode(mode()).padding(padding(2)).pnorm(draw(1, 3)).avgPoolIncludePadInDivisor(random.nextBoolean()).build()));
            add("pooling-" + name + "-nhwc", 4, () -> sequence(imageLast(), new SubsamplingLayer.Builder(kind).kernelSize(draws(2, 1, 3)).stride(draws(2, 1, 2))
                .convolutionMode(mode()).pnorm(draw(1, 3)).dataFormat(CNN2DFormat.NHWC).build()));
            add("pooling-1d-" + name, 12, () -> sequence(InputType.recurrent(3, draw(9, 14)), new Subsampling1DLayer.Builder(kind).kernelSize(draw(1, 4)).stride(draw(1, 3))
                .convolutionMode(mode()).padding(padding(1)[0]).pnorm(draw(1, 3)).avgPoolIncludePadInDivisor(random.nextBoolean()).build()));
            add("pooling-1d-nwc-" + name, 3, () -> sequence(InputType.recurrent(3, draw(9, 14), RNNFormat.NWC),
                new Convolution1DLayer.Builder(1).nOut(4).rnnDataFormat(RNNFormat.NWC).build(), new Subsampling1DLayer.Builder(kind).kernelSize(draw(1, 4)).stride(draw(1, 3))
                .convolutionMode(mode()).pnorm(draw(1, 3)).build()));
            add("pooling-3d-" + name, kind == SubsamplingLayer.PoolingType.PNORM ? 0 : 8, () -> sequence(volume(), new Subsampling3DLayer.Builder(Subsampling3DLayer.PoolingType.valueOf(kind.toString())).kernelSize(draws(3, 1, 3)).stride(draws(3, 1, 2))
                .dilation(one(1, 1, 2), 1, 1).convolutionMode(mode()).padding(padding(3)).build()));
        }
        for (PoolingType kind : PoolingType.values()) {
            String name = "global-" + kind.toString().toLowerCase();
            add(name + "-time", 2, () -> sequence(InputType.recurrent(4, 7), global(kind).build(), out(3)));
            add(name + "-time-nwc", 1, () -> sequence(InputType.recurrent(4, 7, RNNFormat.NWC), new LSTM.Builder().nOut(5).dataFormat(RNNFormat.NWC).build(), global(kind).build()));
            add(name + "-image", 2, () -> sequence(image(), new ConvolutionLayer.Builder(3, 3).nOut(4).build(), global(kind).build(), out(3)));
            add(name + "-image-nhwc", 2, () -> sequence(imageLast(), new ConvolutionLayer.Builder(3, 3).nOut(4).dataFormat(CNN2DFormat.NHWC).build(), global(kind).build(), out(3)));
            add(name + "-volume", 1, () -> sequence(volume(), global(kind).build(), out(3)));
            add(name + "-kept", 1, () -> sequence(image(), global(kind).collapseDimensions(false).build()));
            add(name + "-dimensions", 1, () -> sequence(image(), global(kind).poolingDimensions(2, 3).build()));
        }
        add("upsampling", 4, () -> sequence(image(), new Upsampling2D.Builder().size(draws(2, 1, 3)).build()));
        add("upsampling-nhwc", 2, () -> sequence(imageLast(), new Upsampling2D.Builder().size(draws(2, 1, 3)).dataFormat(CNN2DFormat.NHWC).build()));
        add("upsampling-1d", 2, () -> sequence(InputType.recurrent(3, 5), new Upsampling1D.Builder(draw(1, 3)).build()));
        add("upsampling-3d", 3, () -> sequence(volume(), new Upsampling3D.Builder(draw(1, 3)).build()));
        add("padding", 4, () -> sequence(image(), new ZeroPaddingLayer.Builder(draws(4, 0, 3)).build()));
        add("padding-nhwc", 2, () -> sequence(imageLast(), new ZeroPaddingLayer.Builder(draws(4, 0, 3)).dataFormat(CNN2DFormat.NHWC).build()));
        add("padding-1d", 3, () -> sequence(InputType.recurrent(3, 5), new ZeroPadding1DLayer.Builder(draws(2, 0, 3)).build()));
        add("padding-3d", 3, () -> sequence(volume(), new ZeroPadding3DLayer.Builder(draws(6, 0, 2)).build()));
        add("cropping", 4, () -> sequence(image(), new Cropping2D.Builder(draws(4, 0, 2)).build()));
        add("cropping-nhwc", 2, () -> sequence(imageLast(), new Cropping2D.Builder(draws(4, 0, 2)).dataFormat(CNN2DFormat.NHWC).build()));
        add("cropping-1d", 3, () -> sequence(InputType.recurrent(3, 9), new Cropping1D.Builder(draws(2, 0, 3)).build()));
        add("cropping-3d", 3, () -> sequence(volume(), new Cropping3D.Builder(draws(6, 0, 2)).build()));
        add("space-to-depth", 1, () -> sequence(InputType.convolutional(6, 8, 3), new SpaceToDepthLayer.Builder(2, SpaceToDepthLayer.DataFormat.NCHW).build()));
        add("space-to-depth-nhwc", 1, () -> sequence(InputType.convolutional(6, 8, 3, CNN2DFormat.NHWC), new SpaceToDepthLayer.Builder(2, CNN2DFormat.NHWC).build()));
        add("space-to-batch", 1, () -> sequence(InputType.convolutional(6, 8, 3), new SpaceToBatchLayer.Builder(new int[] {2, 2}).build()));
        add("cnn-loss", 1, () -> sequence(image(), new ConvolutionLayer.Builder(3, 3).nOut(4).build(), new CnnLossLayer.Builder(LossFunction.MCXENT).activation(Activation.SOFTMAX).build()));
        add("cnn-loss-nhwc", 1, () -> sequence(imageLast(), new ConvolutionLayer.Builder(3, 3).nOut(4).dataFormat(CNN2DFormat.NHWC).build(), new CnnLossLayer.Builder(LossFunction.MCXENT).activation(Activation.SOFTMAX).format(CNN2DFormat.NHWC).build()));
        add("cnn-3d-loss", 1, () -> sequence(volume(), new Cnn3DLossLayer.Builder(Convolution3D.DataFormat.NCDHW).activation(Activation.SOFTMAX).lossFunction(LossFunction.MCXENT).build()));
        add("flat-image", 2, () -> sequence(InputType.convolutionalFlat(8, 9, 3), normal(ROWS, 8 * 9 * 3), new ConvolutionLayer.Builder(3, 3).nOut(4).build(), out(3)));
        add("dense-behind-image", 2, () -> sequence(image(), new ConvolutionLayer.Builder(3, 3).nOut(4).build(), new DenseLayer.Builder().nOut(6).build(), out(3)));
        add("dense-behind-image-nhwc", 2, () -> sequence(imageLast(), new ConvolutionLayer.Builder(3, 3).nOut(4).dataFormat(CNN2DFormat.NHWC).build(), new DenseLayer.Builder().nOut(6).build(), out(3)));
        add("dense-behind-volume", 2, () -> sequence(volume(), new Convolution3D.Builder(3, 3, 3).nOut(4).build(), new DenseLayer.Builder().nOut(6).build(), out(3)));
        add("locally-connected", 1, () -> sequence(image(), new LocallyConnected2D.Builder().kernelSize(2, 2).nOut(3).build()));
        add("lenet", 1, () -> sequence(InputType.convolutionalFlat(20, 20, 1), normal(ROWS, 400), new ConvolutionLayer.Builder(5, 5).nOut(6).activation(Activation.RELU).build(),
            new SubsamplingLayer.Builder(SubsamplingLayer.PoolingType.MAX).kernelSize(2, 2).stride(2, 2).build(), new ConvolutionLayer.Builder(3, 3).nOut(8).activation(Activation.RELU).build(),
            new SubsamplingLayer.Builder(SubsamplingLayer.PoolingType.MAX).kernelSize(2, 2).stride(2, 2).build(), new DenseLayer.Builder().nOut(16).build(), out(10)));
    }

    private static GlobalPoolingLayer.Builder global(PoolingType kind) {
        return new GlobalPoolingLayer.Builder(kind).pnorm(draw(1, 4));
    }

    private static void normalizations() {
        add("batch-norm", 2, () -> sequence(InputType.feedForward(7), batchNorm().build(), out(3)));
        add("batch-norm-image", 2, () -> sequence(image(), new ConvolutionLayer.Builder(3, 3).nOut(4).build(), batchNorm().build(), out(3)));
        add("batch-norm-image-nhwc", 2, () -> sequence(imageLast(), new ConvolutionLayer.Builder(3, 3).nOut(4).dataFormat(CNN2DFormat.NHWC).build(), batchNorm().build(), out(3)));
        add("batch-norm-volume", 2, () -> sequence(volume(), batchNorm().build(), out(3)));
        add("batch-norm-time", 2, () -> sequence(InputType.recurrent(4, 6), batchNorm().build()));
        add("batch-norm-locked", 3, () -> sequence(image(), batchNorm().lockGammaBeta(true).gamma(0.5).beta(0.3).build(), out(3)));
        add("batch-norm-activation", 1, () -> sequence(image(), batchNorm().activation(Activation.RELU).build()));
        add("lrn", 4, () -> sequence(image(), new ConvolutionLayer.Builder(1, 1).nOut(11).build(),
            new LocalResponseNormalization.Builder(one(1.5, 2.0), one(3.0, 4.0, 5.0, 6.0), one(0.3, 1e-2), one(0.5, 0.75)).build(), out(3)));
        add("lrn-default", 1, () -> sequence(image(), new ConvolutionLayer.Builder(1, 1).nOut(11).build(), new LocalResponseNormalization.Builder().build(), out(3)));
        add("lrn-nhwc", 1, () -> sequence(imageLast(), new ConvolutionLayer.Builder(1, 1).nOut(11).dataFormat(CNN2DFormat.NHWC).build(),
            new LocalResponseNormalization.Builder(1.5, 3.0, 0.3, 0.75).dataFormat(CNN2DFormat.NHWC).build(), out(3)));
    }

    private static BatchNormalization.Builder batchNorm() {
        return new BatchNormalization.Builder().eps(one(1e-5, 1e-3, 0.1)).useLogStd(random.nextBoolean());
    }

    // --- sequences ---------------------------------------------------------------------------------------------------

    private static RnnOutputLayer rnnOut(RNNFormat format) {
        return new RnnOutputLayer.Builder(LossFunction.MCXENT).nOut(3).activation(Activation.SOFTMAX).dataFormat(format).build();
    }

    private static void recurrent() {
        for (RNNFormat format : RNNFormat.values()) {
            String end = format == RNNFormat.NWC ? "-nwc" : "";
            InputType input = InputType.recurrent(4, 6, format);
            add("lstm" + end, 2, () -> sequence(input, lstm(format), rnnOut(format)));
            add("graves-lstm" + end, 2, () -> sequence(input, graves(format), rnnOut(format)));
            add("simple-rnn" + end, 2, () -> sequence(input, new SimpleRnn.Builder().nOut(5).dataFormat(format).build(), rnnOut(format)));
            add("graves-bidirectional" + end, 2, () -> sequence(input, new GravesBidirectionalLSTM.Builder().nOut(5).dataFormat(format).build(), rnnOut(format)));
            add("rnn-loss" + end, 1, () -> sequence(input, lstm(format), new RnnLossLayer.Builder(LossFunction.MCXENT).activation(Activation.SOFTMAX).dataFormat(format).build()));
            for (Bidirectional.Mode mode : Bidirectional.Mode.values()) {
                String name = mode.toString().toLowerCase();
                add("bidirectional-" + name + end, 2, () -> sequence(input, new Bidirectional(mode, lstm(format)), rnnOut(format)));
                add("bidirectional-graves-" + name + end, 1, () -> sequence(input, new Bidirectional(mode, graves(format)), rnnOut(format)));
                add("bidirectional-simple-" + name + end, 1, () -> sequence(input, new Bidirectional(mode, new SimpleRnn.Builder().nOut(5).dataFormat(format).build()), rnnOut(format)));
                add("bidirectional-last-" + name + end, 1, () -> sequence(input, new Bidirectional(mode, new LastTimeStep(new LSTM.Builder().nOut(5).weightInit(WeightInit.XAVIER).activation(Activation.TANH).dataFormat(format).build())), out(3)));
            }
            add("last-time-step" + end, 1, () -> sequence(input, new LastTimeStep(lstm(format)), out(3)));
            add("last-time-step-bidirectional" + end, 1, () -> sequence(input, new LastTimeStep(new Bidirectional(Bidirectional.Mode.CONCAT, lstm(format))), out(3)));
            add("last-time-step-graves-bidirectional" + end, 1, () -> sequence(input, new LastTimeStep(new GravesBidirectionalLSTM.Builder().nOut(5).dataFormat(format).build()), out(3)));
            add("frozen-lstm" + end, 1, () -> sequence(input, new FrozenLayer(lstm(format)), rnnOut(format)));
            add("mask-zero" + end, 1, () -> sequence(input, zeros(normal(shape(input)), format), new MaskZeroLayer.Builder().setUnderlying(lstm(format)).setMaskValue(0).build(), rnnOut(format)));
            add("repeat-vector" + end, 1, () -> sequence(InputType.feedForward(4), new DenseLayer.Builder().nOut(4).build(), new RepeatVector.Builder(5).dataFormat(format).build(), lstm(format), rnnOut(format)));
            add("time-distributed" + end, 1, () -> sequence(input, lstm(format), new TimeDistributed(new DenseLayer.Builder().nIn(5).nOut(4).activation(Activation.SOFTMAX).build(), format), rnnOut(format)));
        }
        add("simple-rnn-layer-norm", 1, () -> sequence(InputType.recurrent(4, 6), new SimpleRnn.Builder().nOut(5).hasLayerNorm(true).build()));
        add("self-attention", 1, () -> sequence(InputType.recurrent(4, 6), new SelfAttentionLayer.Builder().nOut(4).nHeads(2).headSize(2).projectInput(true).build()));
    }

    private static INDArray zeros(INDArray question, RNNFormat format) {
        for (int row = 0; row < ROWS; row++) {
            for (int time = 3; time < 3 + row % 3; time++) {
                for (int feature = 0; feature < 4; feature++) {
                    question.putScalar(format == RNNFormat.NCW ? new int[] {row, feature, time} : new int[] {row, time, feature}, 0);
                }
            }
        }
        return question;
    }

    private static LSTM lstm(RNNFormat format) {
        return new LSTM.Builder().nOut(5).forgetGateBiasInit(1.5).dataFormat(format).build();
    }

    private static GravesLSTM graves(RNNFormat format) {
        return new GravesLSTM.Builder().nOut(5).dataFormat(format).build();
    }

    private static void sequences() {
        add("embedding-sequence", 1, () -> sequence(null, indices(9, ROWS, 6), new EmbeddingSequenceLayer.Builder().nIn(9).nOut(4).inputLength(6).build(),
            new LSTM.Builder().nIn(4).nOut(5).build(), new RnnOutputLayer.Builder(LossFunction.MCXENT).nIn(5).nOut(3).activation(Activation.SOFTMAX).build()));
        add("embedding-sequence-free", 1, () -> sequence(null, indices(9, ROWS, 6), new EmbeddingSequenceLayer.Builder().nIn(9).nOut(4).inferInputLength(true).hasBias(true).build(),
            new LSTM.Builder().nIn(4).nOut(5).build()));
        add("embedding-sequence-nwc", 1, () -> sequence(null, indices(9, ROWS, 6), new EmbeddingSequenceLayer.Builder().nIn(9).nOut(4).inputLength(6).outputDataFormat(RNNFormat.NWC).build(),
            new LSTM.Builder().nIn(4).nOut(5).dataFormat(RNNFormat.NWC).build()));
        add("dense-in-time", 1, () -> sequence(InputType.recurrent(4, 6), new DenseLayer.Builder().nOut(5).build(), new LSTM.Builder().nOut(5).build(), rnnOut(RNNFormat.NCW)));
        add("dense-in-time-nwc", 1, () -> sequence(InputType.recurrent(4, 6, RNNFormat.NWC), new DenseLayer.Builder().nOut(5).build(), new LSTM.Builder().nOut(5).dataFormat(RNNFormat.NWC).build(), rnnOut(RNNFormat.NWC)));
        add("output-in-time", 1, () -> sequence(InputType.recurrent(4, 6), new LSTM.Builder().nOut(5).build(), out(3)));
        add("convolution-1d-lstm", 1, () -> sequence(InputType.recurrent(4, 9), new Convolution1DLayer.Builder(3).nOut(5).convolutionMode(ConvolutionMode.Same).build(), new LSTM.Builder().nOut(5).build(), rnnOut(RNNFormat.NCW)));
        add("convolution-1d-softmax", 1, () -> sequence(InputType.recurrent(4, 9), new Convolution1DLayer.Builder(3).nOut(5).activation(Activation.SOFTMAX).build()));
        add("lstm-softmax-layer", 1, () -> sequence(InputType.recurrent(4, 9), new LSTM.Builder().nOut(5).build(), new ActivationLayer(Activation.SOFTMAX)));
        add("image-to-time", 1, () -> {
            NeuralNetConfiguration.ListBuilder list = begin().list().layer(new ConvolutionLayer.Builder(2, 2).nIn(2).nOut(3).build())
                .layer(new LSTM.Builder().nIn(3 * 3 * 4).nOut(4).build()).layer(new RnnOutputLayer.Builder(LossFunction.MCXENT).nIn(4).nOut(3).activation(Activation.SOFTMAX).build());
            list.inputPreProcessor(0, new RnnToCnnPreProcessor(4, 5, 2)).inputPreProcessor(1, new CnnToRnnPreProcessor(3, 4, 3));
            MultiLayerNetwork network = new MultiLayerNetwork(list.build());
            network.init();
            fill(network.paramTable());
            return new Made(network, new INDArray[] {normal(ROWS, 4 * 5 * 2, 6)});
        });
        add("imported-reshape", 1, () -> imported(normal(ROWS, 12), new ReshapePreprocessor(new long[] {12}, new long[] {4, 3}, false), new LSTM.Builder().nIn(4).nOut(5).build()));
        add("imported-reshape-batch", 1, () -> imported(normal(ROWS, 4, 6), new ReshapePreprocessor(new long[] {1, 4, 6}, new long[] {1, 2, 3, 4}, true), new ConvolutionLayer.Builder(2, 2).nIn(2).nOut(3).build()));
        add("imported-permute", 1, () -> imported(normal(ROWS, 4, 6), new PermutePreprocessor(2, 1), new LSTM.Builder().nIn(6).nOut(5).build()));
        add("imported-permute-image", 1, () -> imported(normal(ROWS, 4, 5, 2), new PermutePreprocessor(3, 1, 2), new ConvolutionLayer.Builder(2, 2).nIn(2).nOut(3).build()));
        add("imported-flatten", 1, () -> imported(normal(ROWS, 4, 6), new KerasFlattenRnnPreprocessor(4, 6), new DenseLayer.Builder().nIn(24).nOut(5).build()));
        add("preprocessors", 1, () -> {
            NeuralNetConfiguration.ListBuilder list = begin().list().layer(new ConvolutionLayer.Builder(2, 2).nIn(2).nOut(3).build())
                .layer(new DenseLayer.Builder().nIn(3 * 3 * 4).nOut(4).build());
            list.inputPreProcessor(0, new FeedForwardToCnnPreProcessor(4, 5, 2)).inputPreProcessor(1, new ComposableInputPreProcessor(new CnnToFeedForwardPreProcessor(3, 4, 3)));
            MultiLayerNetwork network = new MultiLayerNetwork(list.build());
            network.init();
            fill(network.paramTable());
            return new Made(network, new INDArray[] {normal(ROWS, 4 * 5 * 2)});
        });
    }

    private static Made imported(INDArray question, InputPreProcessor preprocessor, Layer layer) {
        MultiLayerNetwork network = new MultiLayerNetwork(begin().list().layer(layer).inputPreProcessor(0, preprocessor).build());
        network.init();
        fill(network.paramTable());
        return new Made(network, new INDArray[] {question});
    }

    // --- graphs ------------------------------------------------------------------------------------------------------

    private static void graphs() {
        for (ElementWiseVertex.Op op : ElementWiseVertex.Op.values()) {
            add("element-wise-" + op.toString().toLowerCase(), 1, () -> graph(two().addVertex("v", new ElementWiseVertex(op), "left", "right").addLayer("out", out(3), "v")
                .setOutputs("out"), normal(ROWS, 4), normal(ROWS, 4)));
            add("element-wise-three-" + op.toString().toLowerCase(), 1, () -> graph(two().addLayer("third", new DenseLayer.Builder().nOut(5).build(), "b")
                .addVertex("v", new ElementWiseVertex(op), "left", "right", "third").setOutputs("v"), normal(ROWS, 4), normal(ROWS, 4)));
            add("element-wise-broadcast-" + op.toString().toLowerCase(), 1, () -> graph(two().addLayer("third", new DenseLayer.Builder().nOut(1).build(), "b")
                .addVertex("v", new ElementWiseVertex(op), "left", "third").setOutputs("v", "right"), normal(ROWS, 4), normal(ROWS, 4)));
        }
        add("activation-of-input", 1, () -> graph(two().addLayer("last", new ActivationLayer(Activation.SIGMOID), "a")
            .setOutputs("last", "left", "right"), normal(ROWS, 4), normal(ROWS, 4)));
        add("activation-of-input-shared", 1, () -> graph(two().addLayer("changed", new ActivationLayer(Activation.SIGMOID), "a")
            .addVertex("v", new ScaleVertex(2.0), "a").setOutputs("changed", "v", "left", "right"), normal(ROWS, 4), normal(ROWS, 4)));
        vertex("merge", new MergeVertex(), "left", "right");
        vertex("subset", new SubsetVertex(1, 3), "left");
        vertex("stack", new StackVertex(), "left", "right");
        vertex("l2-normalize", new L2NormalizeVertex(), "left");
        vertex("l2-normalize-epsilon", new L2NormalizeVertex(null, 0.5), "left");
        vertex("l2-normalize-axes", new L2NormalizeVertex(new int[] {1}, 1e-8), "left");
        vertex("l2", new L2Vertex(), "left", "right");
        vertex("l2-epsilon", new L2Vertex(0.3), "left", "right");
        vertex("scale", new ScaleVertex(0.7), "left");
        vertex("shift", new ShiftVertex(0.7), "left");
        vertex("reshape", new ReshapeVertex(-1, 5, 1), "left");
        vertex("reshape-fixed", new ReshapeVertex(ROWS, 5), "left");
        vertex("reshape-f", new ReshapeVertex('f', new int[] {-1, 5, 1}, null), "left");
        vertex("frozen-vertex", new FrozenVertex(new ScaleVertex(0.7)), "left");
        add("unstack", 1, () -> graph(two().addVertex("s", new StackVertex(), "left", "right").addLayer("shared", new DenseLayer.Builder().nOut(6).build(), "s")
            .addVertex("x", new UnstackVertex(0, 2), "shared").addVertex("y", new UnstackVertex(1, 2), "shared").setOutputs("x", "y"), normal(ROWS, 4), normal(ROWS, 4)));
        add("stack-time", 1, () -> graph(begin().graphBuilder().addInputs("a", "b").setInputTypes(InputType.recurrent(4, 6), InputType.recurrent(4, 6)).addVertex("s", new StackVertex(), "a", "b")
            .addLayer("l", new LSTM.Builder().nOut(4).build(), "s").addLayer("d", new DenseLayer.Builder().nOut(4).build(), "l").addLayer("o", rnnOut(RNNFormat.NCW), "d")
            .addVertex("x", new UnstackVertex(0, 2), "o").setOutputs("x"), normal(ROWS, 4, 6), normal(ROWS, 4, 6)));
        add("merge-image", 1, () -> graph(imageGraph().addVertex("v", new MergeVertex(), "c", "e").addLayer("out", out(3), "v").setOutputs("out"), normal(ROWS, 2, 6, 7)));
        add("merge-nhwc", 1, () -> graph(begin().graphBuilder().addInputs("a").setInputTypes(InputType.convolutional(6, 7, 2, CNN2DFormat.NHWC))
            .addLayer("c", new ConvolutionLayer.Builder(1, 1).nOut(3).dataFormat(CNN2DFormat.NHWC).build(), "a").addLayer("e", new ConvolutionLayer.Builder(1, 1).nOut(4).dataFormat(CNN2DFormat.NHWC).build(), "a")
            .addVertex("v", new MergeVertex(), "c", "e").addLayer("out", out(3), "v").setOutputs("out"), normal(ROWS, 6, 7, 2)));
        add("merge-time", 1, () -> graph(timeGraph(RNNFormat.NCW).addVertex("v", new MergeVertex(), "l", "m").addLayer("out", rnnOut(RNNFormat.NCW), "v").setOutputs("out"), normal(ROWS, 4, 6)));
        add("merge-time-nwc", 1, () -> graph(timeGraph(RNNFormat.NWC).addVertex("v", new MergeVertex(), "l", "m").addLayer("out", rnnOut(RNNFormat.NWC), "v").setOutputs("out"), normal(ROWS, 6, 4)));
        add("merge-layer-inputs", 1, () -> graph(two().addLayer("out", out(3), "left", "right").setOutputs("out"), normal(ROWS, 4), normal(ROWS, 4)));
        add("subset-image", 1, () -> graph(imageGraph().addVertex("v", new SubsetVertex(0, 1), "c").setOutputs("v", "e"), normal(ROWS, 2, 6, 7)));
        add("subset-time", 1, () -> graph(timeGraph(RNNFormat.NCW).addVertex("v", new SubsetVertex(0, 1), "l").setOutputs("v", "m"), normal(ROWS, 4, 6)));
        add("l2-normalize-image", 1, () -> graph(imageGraph().addVertex("v", new L2NormalizeVertex(), "c").setOutputs("v", "e"), normal(ROWS, 2, 6, 7)));
        add("l2-normalize-time", 1, () -> graph(timeGraph(RNNFormat.NCW).addVertex("v", new L2NormalizeVertex(), "l").setOutputs("v", "m"), normal(ROWS, 4, 6)));
        add("pool-helper", 1, () -> graph(imageGraph().addVertex("v", new PoolHelperVertex(), "c").setOutputs("v", "e"), normal(ROWS, 2, 6, 7)));
        add("preprocessor-vertex", 1, () -> graph(imageGraph().addVertex("v", new PreprocessorVertex(new CnnToFeedForwardPreProcessor(6, 7, 3)), "c").setOutputs("v", "e"), normal(ROWS, 2, 6, 7)));
        add("reshape-image", 1, () -> graph(imageGraph().addVertex("v", new ReshapeVertex(-1, 6, 7, 3), "c").setOutputs("v", "e"), normal(ROWS, 2, 6, 7)));
        add("last-time-step-vertex", 1, () -> graph(timeGraph(RNNFormat.NCW).addVertex("v", new LastTimeStepVertex("a"), "l").addLayer("out", out(3), "v").setOutputs("out", "m"), normal(ROWS, 4, 6)));
        add("reverse-time-vertex", 1, () -> graph(timeGraph(RNNFormat.NCW).addVertex("v", new ReverseTimeSeriesVertex("a"), "l").setOutputs("v", "m"), normal(ROWS, 4, 6)));
        add("reverse-time-vertex-no-mask", 1, () -> graph(timeGraph(RNNFormat.NCW).addVertex("v", new ReverseTimeSeriesVertex(), "l").setOutputs("v", "m"), normal(ROWS, 4, 6)));
        add("seq-to-seq", 1, () -> graph(begin().graphBuilder().addInputs("a", "b").setInputTypes(InputType.recurrent(4, 6), InputType.recurrent(3, 5))
            .addLayer("encoder", new LSTM.Builder().nOut(5).build(), "a").addVertex("last", new LastTimeStepVertex("a"), "encoder")
            .addVertex("dup", new DuplicateToTimeSeriesVertex("b"), "last").addVertex("both", new MergeVertex(), "b", "dup")
            .addLayer("decoder", new LSTM.Builder().nOut(5).build(), "both").addLayer("out", rnnOut(RNNFormat.NCW), "decoder").setOutputs("out"), normal(ROWS, 4, 6), normal(ROWS, 3, 5)));
        add("attention-vertex", 1, () -> graph(timeGraph(RNNFormat.NCW).addVertex("v", new AttentionVertex.Builder().nInKeys(5).nInQueries(5).nInValues(5).nOut(4).nHeads(2).headSize(2).projectInput(true).build(), "l", "l", "l").setOutputs("v", "m"), normal(ROWS, 4, 6)));
        add("residual", 1, () -> graph(imageGraph().addVertex("v", new ElementWiseVertex(ElementWiseVertex.Op.Add), "c", "a2").addLayer("a2", new ConvolutionLayer.Builder(1, 1).nOut(3).build(), "a").addLayer("bn", batchNorm().build(), "v")
            .addLayer("relu", new ActivationLayer(Activation.RELU), "bn").addLayer("pool", global(PoolingType.AVG).build(), "relu").addLayer("out", out(3), "pool").setOutputs("out", "e"), normal(ROWS, 2, 6, 7)));
        add("many-branches", 6, () -> {
            GraphBuilder builder = begin().graphBuilder().addInputs("a", "b").setInputTypes(InputType.feedForward(4), InputType.feedForward(3));
            List<String> names = new ArrayList<>(List.of("a", "b"));
            int count = draw(10, 40);
            for (int i = 0; i < count; i++) {
                String name = Integer.toHexString(random.nextInt()) + i;
                if (random.nextInt(4) == 0) {
                    builder.addVertex(name, new MergeVertex(), names.get(random.nextInt(names.size())), names.get(random.nextInt(names.size())));
                } else {
                    builder.addLayer(name, new DenseLayer.Builder().nOut(draw(2, 5)).build(), names.get(random.nextInt(names.size())));
                }
                names.add(name);
            }
            return graph(builder.addLayer("z", new DenseLayer.Builder().nOut(4).build(), names.toArray(new String[0]))
                .addLayer("y", out(3), "b").setOutputs("z", "y"), normal(ROWS, 4), normal(ROWS, 3));
        });
    }

    private static void vertex(String name, GraphVertex vertex, String... inputs) {
        add(name, 1, () -> graph(two().addVertex("v", vertex, inputs).setOutputs("v", "left", "right"), normal(ROWS, 4), normal(ROWS, 4)));
    }

    private static GraphBuilder two() {
        return begin().graphBuilder().addInputs("a", "b").setInputTypes(InputType.feedForward(4), InputType.feedForward(4))
            .addLayer("left", new DenseLayer.Builder().nOut(5).build(), "a").addLayer("right", new DenseLayer.Builder().nOut(5).build(), "b");
    }

    private static GraphBuilder imageGraph() {
        return begin().graphBuilder().addInputs("a").setInputTypes(InputType.convolutional(6, 7, 2))
            .addLayer("c", new ConvolutionLayer.Builder(1, 1).nOut(3).build(), "a").addLayer("e", new ConvolutionLayer.Builder(1, 1).nOut(4).build(), "a");
    }

    private static GraphBuilder timeGraph(RNNFormat format) {
        return begin().graphBuilder().addInputs("a").setInputTypes(InputType.recurrent(4, 6, format))
            .addLayer("l", new LSTM.Builder().nOut(5).dataFormat(format).build(), "a").addLayer("m", new LSTM.Builder().nOut(3).dataFormat(format).build(), "a");
    }

    // --- what is computed in -----------------------------------------------------------------------------------------

    private static void types() {
        for (DataType each : List.of(DataType.DOUBLE, DataType.HALF)) {
            String name = each.toString().toLowerCase();
            typed(name + "-dense", each, () -> sequence(InputType.feedForward(7), new DenseLayer.Builder().nOut(5).activation(Activation.HARDSIGMOID).build(), out(3)));
            typed(name + "-convolution", each, () -> sequence(image(), new ConvolutionLayer.Builder(3, 3).nOut(4).activation(Activation.RELU).build(), new SubsamplingLayer.Builder().kernelSize(2, 2).stride(2, 2).build(), batchNorm().build(), out(3)));
            typed(name + "-pooling", each, () -> sequence(image(), new SubsamplingLayer.Builder(SubsamplingLayer.PoolingType.AVG).kernelSize(2, 2).build(), new SubsamplingLayer.Builder(SubsamplingLayer.PoolingType.PNORM).pnorm(2).kernelSize(2, 2).build()));
            typed(name + "-lrn", each, () -> sequence(image(), new LocalResponseNormalization.Builder().build(), new ConvolutionLayer.Builder(1, 1).nOut(3).build()));
            typed(name + "-lstm", each, () -> sequence(InputType.recurrent(4, 6), new LSTM.Builder().nOut(5).build(), rnnOut(RNNFormat.NCW)));
            typed(name + "-simple-rnn", each, () -> sequence(InputType.recurrent(4, 6), new SimpleRnn.Builder().nOut(5).build(), rnnOut(RNNFormat.NCW)));
            typed(name + "-deconvolution", each, () -> sequence(image(), new Deconvolution2D.Builder(3, 3).nOut(4).build(), new Upsampling2D.Builder(2).build()));
            for (Activation activation : Activation.values()) {
                typed(name + "-" + activation.toString().toLowerCase(), each, () -> sequence(InputType.feedForward(7), new DenseLayer.Builder().nOut(9).activation(activation).build()));
            }
        }
    }

    private static void typed(String name, DataType each, Supplier<Made> maker) {
        add(name, 1, () -> {
            type = each;
            return maker.get();
        });
    }
}
